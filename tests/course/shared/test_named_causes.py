"""Natural slips, written as a learner would: the check names the cause, and does not only say that something is off."""

from operator import ge, gt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from glcic_lite.course.lesson_01 import checks as lesson_01
from glcic_lite.course.lesson_02 import checks as lesson_02
from glcic_lite.course.lesson_03 import checks as lesson_03
from glcic_lite.course.lesson_04 import checks as lesson_04
from glcic_lite.course.lesson_05 import checks as lesson_05
from glcic_lite.course.lesson_06 import checks as lesson_06
from glcic_lite.course.lesson_06.blind_logs import DISEASES, letters
from glcic_lite.course.lesson_07 import checks as lesson_07
from glcic_lite.course.lesson_08 import checks as lesson_08
from glcic_lite.course.lesson_09 import checks as lesson_09
from glcic_lite.course.shared.checks import NOT_YET
from glcic_lite.mask_canvas.strokes import grow
from glcic_lite.method.losses import discriminator_loss, gan_loss, reconstruction_loss
from glcic_lite.method.masks import hole_box, local_patch
from glcic_lite.method.networks import composite


def field_at(pixel, read=lambda gradient: gradient.abs()):
    """Exercise 5 of lesson 01, with the output pixel that `pixel(size, output)` names."""

    def field(network, size):
        photo = torch.ones(1, 1, size, size, requires_grad=True)
        output = network(photo)
        at = pixel(size, output)
        output[0, 0, at, at].backward()
        columns = read(photo.grad).sum(dim=(0, 1, 2)).nonzero().flatten()
        return int(columns[-1] - columns[0]) + 1

    return field


def diagonal_taps(channels, size):
    return torch.eye(channels)[..., None, None] * torch.eye(size) / size


def stamps_one_apart(row, weight, stride):
    out = torch.zeros((len(row) - 1) * stride + len(weight))
    for start, value in enumerate(row):
        out[start : start + len(weight)] += value * weight
    return out


def overlaps_one_apart(size, kernel, stride):
    return stamps_one_apart(torch.ones(size), torch.ones(kernel), stride)


def sizes_by(rule):
    def sizes(height, width, layers):
        found = []
        for layer in layers:
            height, width = rule(height, layer), rule(width, layer)
            found.append((height, width))
        return found

    return sizes


def losses_by(police, counterfeiter):
    return lambda real, fake: (police(real, fake), counterfeiter(fake))


def usual_police(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def usual_counterfeiter(fake):
    return F.softplus(-fake).mean()


def start_by(rule):
    return lambda first, end, patch, size: min(max(rule(first, end, patch), 0), size - patch)


def fakes_by(join, hole_of=lambda number, masks: masks[number]):
    def fakes(photos, outputs, masks, size):
        completed = join(photos, outputs, masks)
        patches = []
        for number, photo in enumerate(completed):
            box = hole_box(hole_of(number, masks)[0].numpy() > 0.5)
            patches.append(photo[(slice(None), *local_patch(box, size, (photo.shape[2], photo.shape[1])).slices)])
        return completed, torch.stack(patches)

    return fakes


def written_in_place(photos, outputs, masks, size):
    inside = (masks > 0.5).expand_as(photos)
    photos[inside] = outputs[inside]
    return fakes_by(lambda photos, outputs, masks: photos)(photos, outputs, masks, size)


def late_phases(first, second):
    """Exercise 3 of lesson 06, with phases that begin when `first` or `second`, > or >=, says so."""

    def rate(iteration, settings):
        s = settings
        if second(iteration, s.phase_1 + s.phase_2):
            return s.joint_learning_rate
        if first(iteration, s.phase_1):
            return 0.0
        share = min(1, (s.phase_1 - iteration) / (s.phase_1 * s.learning_rate_decay))
        return s.learning_rate * (s.learning_rate_end + (1 - s.learning_rate_end) * share)

    return rate


def joint_by(police=lambda real, fake: discriminator_loss(real, fake), judged=lambda output, completed: completed,
             give=lambda first, second: (first, second)):  # fmt: skip
    """Exercise 4 of lesson 06, with a part of it done otherwise."""

    def step(network, discriminator, network_optimizer, discriminator_optimizer, photo, mask, alpha):
        output = network(photo, mask)
        completed = composite(photo, output, mask)
        first = police(discriminator(photo), discriminator(judged(output, completed).detach()))
        discriminator_optimizer.zero_grad()
        first.backward()
        discriminator_optimizer.step()
        discriminator.requires_grad_(False)
        second = reconstruction_loss(output, photo, mask) + alpha * gan_loss(discriminator(completed))
        discriminator.requires_grad_(True)
        network_optimizer.zero_grad()
        second.backward()
        network_optimizer.step()
        return give(first, second)

    return step


def fast_by(make_step):
    def step(network, optimizer, scaler, photo, mask, dtype):
        with torch.autocast(photo.device.type, dtype):
            output = network(photo, mask)
        loss = reconstruction_loss(output.float(), photo, mask)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        make_step(optimizer, scaler)
        return loss

    return step


def loader(samples, batch_size, workers, cuda):
    return torch.utils.data.DataLoader(samples, batch_size, num_workers=workers, pin_memory=cuda)


def by_the_optimizer(optimizer, scaler):
    optimizer.step()
    scaler.update()


def by_both(optimizer, scaler):
    scaler.step(optimizer)
    scaler.update()
    optimizer.step()


def by_both_turned(optimizer, scaler):
    optimizer.step()
    scaler.step(optimizer)
    scaler.update()


def too_early(optimizer, scaler):
    scaler.update()
    scaler.step(optimizer)


def held_back():
    cures = {letter: (disease, DISEASES[disease].cures[0]) for letter, disease in letters().items()}
    letter = next(letter for letter, disease in letters().items() if disease == "phase 1 too short")
    return cures | {letter: ("phase 1 too short", "slower discriminators")}


def around_the_first(values, mask):
    new = values.copy()
    for row, column in np.argwhere(mask):
        found = []
        for y, x in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            try:
                found.append(values[y, x])
            except IndexError:
                continue
        new[row, column] = np.mean(found)
    return new


def psnr_by(finish):
    return lambda photo, filled, mask: finish(photo[mask].astype(float) - filled[mask])


def interval_by(means):
    def interval(ours, theirs, random):
        return tuple(np.percentile(means((ours - theirs).mean(axis=1), random), [2.5, 97.5]))

    return interval


def wrong_percentiles(ours, theirs, random):
    gains = (ours - theirs).mean(axis=1)
    means = gains[random.integers(0, len(gains), (5000, len(gains)))].mean(axis=1)
    return tuple(np.percentile(means, [0.025, 0.975]))


def depths_by(errors_of, finish, chosen=lambda depth, k: (depth >= k) & (depth < k + 1)):
    def errors(photo, filled, mask):
        depth = ndimage.distance_transform_edt(mask)
        values = errors_of(photo.astype(float) - filled)
        bands = [values[mask & chosen(depth, k)] for k in range(1, int(depth.max()) + 1)]
        return [finish(band) if len(band) else np.nan for band in bands]

    return errors


def root_of_mean(values):
    return np.sqrt(values.mean())


def box_by_counting(mask):
    columns, rows = mask.any(axis=0), mask.any(axis=1)
    left, top = np.flatnonzero(columns)[0], np.flatnonzero(rows)[0]
    return left, top, left + columns.sum(), top + rows.sum()


def rounded_up(photo, filled, mask):
    depth = np.ceil(ndimage.distance_transform_edt(mask)).astype(int)
    squares = ((photo.astype(float) - filled) ** 2).mean(axis=2)
    bands = [squares[mask & (depth == k)] for k in range(1, depth.max() + 1)]
    return [root_of_mean(band) if len(band) else np.nan for band in bands]


SLIPS = {
    "1.1 no brackets": (lesson_01.output_size, lambda n, k, s, p, d: n + 2 * p - d * (k - 1) - 1 // s + 1, "brackets"),
    "1.1 k steps": (lesson_01.output_size, lambda n, k, s, p, d: (n + 2 * p - d * k - 1) // s + 1, "k − 1 steps"),
    "1.5 middle of the input": (
        lesson_01.measured_field,
        field_at(lambda size, output: min(size // 2, output.shape[2] - 1)),
        "middle of the *output*",
    ),
    "1.5 positive gradients": (
        lesson_01.measured_field,
        field_at(lambda size, output: output.shape[2] // 2, lambda gradient: gradient.clamp(min=0)),
        "absolute value",
    ),
    "2.2 diagonal taps": (lesson_02.average_weights, diagonal_taps, "diagonal"),
    "3.2 torch's own": (
        lesson_03.convolution_matrix,
        lambda weight, size, stride: F.conv1d(torch.eye(size)[:, None], weight[None, None], stride=stride)[:, 0].T,
        "without it",
    ),
    "3.3 no stride": (lesson_03.stamp, stamps_one_apart, "the stride is not used"),
    "3.4 no stride": (lesson_03.overlaps, overlaps_one_apart, "the stride is not used"),
    "4.2 rounded up": (
        lesson_04.sizes,
        sizes_by(lambda n, layer: 2 * n if layer.upsamples else -(-n // layer.stride)),
        "size formulas",
    ),
    "4.2 half a step": (
        lesson_04.sizes,
        sizes_by(lambda n, layer: (n - 1) * layer.stride - 2 * layer.padding + layer.kernel
                 if layer.upsamples else (n + 2 * layer.padding - layer.dilation * (layer.kernel - 1) - 1)
                 // layer.stride + 1),
        "a stride of 1/2 is a step of 2",
    ),
    "5.1 softplus everywhere": (
        lesson_05.losses,
        losses_by(lambda r, f: F.softplus(r).mean() + F.softplus(-f).mean(), lambda f: F.softplus(f).mean()),
        "every sign",
    ),
    "5.1 sigmoid twice": (
        lesson_05.losses,
        losses_by(lambda r, f: usual_police(r.sigmoid(), f.sigmoid()), lambda f: usual_counterfeiter(f.sigmoid())),
        "taken twice",
    ),
    "5.1 mean first": (
        lesson_05.losses,
        losses_by(lambda r, f: usual_police(r.mean(), f.mean()), lambda f: usual_counterfeiter(f.mean())),
        "the mean comes last",
    ),
    "5.1 sign of the real ones": (
        lesson_05.losses,
        losses_by(lambda r, f: F.softplus(r).mean() + F.softplus(f).mean(), usual_counterfeiter),
        "the real ones are to be called 1",
    ),
    "5.4 no brackets": (lesson_05.patch_start, start_by(lambda a, b, p: a + b // 2 - p // 2), "halves `end` alone"),
    "5.4 not halved": (lesson_05.patch_start, start_by(lambda a, b, p: a + b - p), "twice what is asked"),
    "5.5 nothing outside": (lesson_05.fakes, fakes_by(lambda p, o, m: m * o), "outside the hole nothing is left"),
    "5.5 added": (lesson_05.fakes, fakes_by(lambda p, o, m: m * o + p), "are added"),
    "5.5 the last hole": (lesson_05.fakes, fakes_by(composite, lambda number, masks: masks[-1]), "last photo"),
    "5.5 in place": (lesson_05.fakes, written_in_place, "has changed afterwards"),
    "6.3 after the first iteration": (lesson_06.timetable, late_phases(gt, gt), "`>=`, not `>`"),
    "6.3 only phase 2 is late": (lesson_06.timetable, late_phases(gt, ge), "`>=`, not `>`"),
    "6.3 only phase 3 is late": (lesson_06.timetable, late_phases(ge, gt), "`>=`, not `>`"),
    "6.4 logits exchanged": (
        lesson_06.joint_step,
        joint_by(lambda r, f: discriminator_loss(f, r)),
        "the real photos' logits first",
    ),
    "6.4 bare output": (lesson_06.joint_step, joint_by(judged=lambda output, completed: output), "in its own half"),
    "6.4 half a loss": (lesson_06.joint_step, joint_by(lambda r, f: discriminator_loss(r, f) / 2), "halved"),
    "6.4 losses exchanged": (lesson_06.joint_step, joint_by(give=lambda first, second: (second, first)), "exchanged"),
    "6.6 a consequence": (lesson_06.diagnoses, held_back(), "hold back a consequence"),
    "6.7 the optimizer's step": (lesson_06.faster, (loader, fast_by(by_the_optimizer)), "replaces `optimizer.step()`"),
    "6.7 both steps": (lesson_06.faster, (loader, fast_by(by_both)), "two steps are made"),
    "6.7 both steps, the other way round": (lesson_06.faster, (loader, fast_by(by_both_turned)), "two steps are made"),
    "6.7 update before step": (lesson_06.faster, (loader, fast_by(too_early)), "first `scaler.step(optimizer)`"),
    "7.5 index -1": (lesson_07.relax, around_the_first, "index −1"),
    "8.1 no alternation": (
        lesson_08.mask_from_runs,
        lambda runs, width, height: np.repeat(np.arange(len(runs)) > 0, runs).reshape(height, width),
        "they alternate",
    ),
    "8.3 the course's own": (lesson_08.grown, lambda mask, pixels: grow(mask, pixels), "without it"),
    "8.3 inside the hole": (
        lesson_08.grown,
        lambda mask, pixels: mask | (ndimage.distance_transform_edt(mask) < pixels + 0.5),
        "the inverted mask",
    ),
    "8.4 counted": (lesson_08.box, box_by_counting, "between two parts"),
    "9.1 root and ten": (
        lesson_09.psnr_in_hole,
        psnr_by(lambda off: 10 * np.log10(255**2 / np.sqrt(np.mean(off**2)))),
        "factor 10 goes with the mean *square*",
    ),
    "9.1 square and twenty": (
        lesson_09.psnr_in_hole,
        psnr_by(lambda off: 20 * np.log10(255 / np.mean(off**2))),
        "the *root* of the mean square",
    ),
    "9.1 mean first": (
        lesson_09.psnr_in_hole,
        psnr_by(lambda off: 10 * np.log10(255**2 / np.mean(off) ** 2)),
        "Square first",
    ),
    "9.1 the error itself": (lesson_09.psnr_in_hole, psnr_by(lambda off: np.mean(off**2)), "mean square itself"),
    "9.3 shares for per cent": (lesson_09.interval, wrong_percentiles, "counts in per cent"),
    "9.3 no repetition": (
        lesson_09.interval,
        interval_by(lambda gains, random: [random.permutation(gains).mean() for _ in range(5000)]),
        "with repetition",
    ),
    "9.3 the last one never": (
        lesson_09.interval,
        interval_by(lambda g, random: g[random.integers(0, len(g) - 1, (5000, len(g)))].mean(axis=1)),
        "never drawn",
    ),
    "9.4 root of each pixel": (
        lesson_09.errors_by_depth,
        depths_by(lambda off: np.sqrt((off**2).mean(axis=2)), np.mean),
        "each pixel's error",
    ),
    "9.4 root of each channel": (
        lesson_09.errors_by_depth,
        depths_by(lambda off: off**2, lambda band: np.sqrt(band.mean(axis=0)).mean()),
        "each channel's error",
    ),
    "9.4 grey first": (
        lesson_09.errors_by_depth,
        depths_by(lambda off: off.mean(axis=2) ** 2, root_of_mean),
        "averaged before they are squared",
    ),
    "9.4 rounded up": (
        lesson_09.errors_by_depth,
        lambda photo, filled, mask: rounded_up(photo, filled, mask),
        "the depth is rounded up",
    ),
    "9.3 the sign": (
        lesson_09.interval,
        interval_by(lambda gains, random: -gains[random.integers(0, len(gains), (5000, len(gains)))].mean(axis=1)),
        "the sign",
    ),
    "9.4 bands shut above": (
        lesson_09.errors_by_depth,
        lambda photo, filled, mask: depths_by(
            lambda off: (off**2).mean(axis=2), root_of_mean, lambda depth, k: (depth > k) & (depth <= k + 1)
        )(photo, filled, mask),
        "counts with the band before",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("check", "answer", "words"), SLIPS.values(), ids=SLIPS)
def test_the_cause_is_named(check, answer, words):
    for _ in range(2):
        verdict = check(*answer) if isinstance(answer, tuple) else check(answer)
        assert verdict.state == NOT_YET and words in verdict.message, verdict
