/** Reacting to what Python changes. Nothing here needs a browser. */

/**
 * React to events of a model, and go on reacting when a reaction fails. An error that is thrown while Jupyter takes in a
 * message from Python would be the end of all messages: each waits for the one before, for ever.
 * @param model  the widget's model
 * @param {Record<string, () => void | Promise<void>>} reactions  by the names of their events, such as "change:error"
 * @param {(error: Error) => void} [failed]  is told of every error; it is written to the browser's console in any case
 * @returns {() => void}  stops it
 */
export function listen(model, reactions, failed = () => {}) {
  function report(error) {
    console.error("mask canvas:", error);
    failed(error);
  }
  const guarded = Object.entries(reactions).map(([name, react]) => [
    name,
    () => {
      try {
        react()?.catch?.(report); // what decodes pictures answers later
      } catch (error) {
        report(error);
      }
    },
  ]);
  for (const [name, react] of guarded) model.on(name, react);
  // A kernel that is shut down, unlike one that is restarted, ends without this event of its widgets.
  const ended = model.widget_manager?.kernel?.disposed;
  const noKernel = guarded.find(([name]) => name === "comm_live_update")?.[1];
  if (noKernel) ended?.connect(noKernel);
  return () => {
    guarded.forEach(([name, react]) => model.off(name, react));
    if (noKernel) ended?.disconnect(noKernel);
  };
}
