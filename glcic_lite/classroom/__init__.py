"""What a lecturer needs around the lessons: copies for students, who has done what, how long it all takes.

Built on `course`; only the command line and tests import it.
"""
