"""Which order answers which step, and when that cannot be said."""

from deltawire.bench.reaction_join import LOOK_BACK_NS, join

MS = 1_000_000


def joined(fired, written, paradex, vest=(), *, answers_all=False):
    return join(fired, written, {"paradex": paradex, "vest": vest}, answers_all=answers_all)


def test_each_step_is_joined_to_the_first_frame_after_it_and_the_orders_of_both_venues():
    found = joined([100, 500], [90, 101, 300, 502], [150, 560], [170, 590])
    assert [(step.written_ns, step.until_ns, step.read_ns) for step in found.steps] == [
        (101, 500, {"paradex": 150, "vest": 170}),
        (502, 2**63, {"paradex": 560, "vest": 590}),
    ]
    assert (found.unanswered, found.unclear) == (0, 0)


def test_an_order_read_before_the_frame_was_written_is_no_answer_to_it():
    found = joined([100], [105], [103])
    assert (found.steps, found.unanswered) == ([], 1)


def test_a_step_whose_frame_or_order_never_came_is_unanswered():
    assert joined([100, 200], [250], [260]).unanswered == 1
    assert joined([100], [101], []).unanswered == 1
    assert joined([100], [], [150]).unanswered == 1


def test_a_late_answer_to_the_step_before_makes_a_step_unclear_and_not_fast():
    found = joined([100, 200], [101, 201], [205, 240])
    assert (found.unanswered, found.unclear, found.steps) == (1, 1, [])


def test_an_order_without_its_other_leg_counts_for_its_own_venue():
    [step] = joined([100], [101], [150]).steps
    assert step.read_ns == {"paradex": 150}


def test_who_answers_every_frame_may_answer_later_frames_too():
    [step] = joined([100 * MS], [100 * MS, 105 * MS], [101 * MS, 106 * MS], answers_all=True).steps
    assert step.read_ns["paradex"] == 101 * MS


def test_who_answers_every_frame_must_have_answered_the_earlier_ones():
    before = 100 * MS - LOOK_BACK_NS // 2
    late = joined([100 * MS], [before, 100 * MS], [100 * MS + 1, 100 * MS + 2], answers_all=True)
    assert (late.unclear, late.steps) == (1, [])
    in_time = joined([100 * MS], [before, 100 * MS], [before + 1, 100 * MS + 2], answers_all=True)
    assert [step.read_ns["paradex"] for step in in_time.steps] == [100 * MS + 2]
