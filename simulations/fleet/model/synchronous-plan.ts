import type { Completed, DeviceCourse, Lost } from "./device-course.ts";

export interface RoundTerms {
  /** When the devices are told to begin, milliseconds of virtual time. */
  readonly startsAt: number;
  /** K: updates that the round wants. */
  readonly goal: number;
  /** With fewer at its close the round is abandoned: max(minimum cohort, ⌈0.8 · goal⌉). */
  readonly quorum: number;
  /** The reporting window, milliseconds. */
  readonly reportingWindow: number;
  /** `goal`: at the K-th update; `all`: when no device is awaited any more. The window's end closes either. */
  readonly closeAt: "all" | "goal";
}

/** What a round will have been, before anybody trains. */
export interface RoundPlan {
  readonly outcome: "reported" | "abandoned";
  /** What ended the reporting: K updates, nobody left to wait for, or the end of the window. */
  readonly closedBy: "goal" | "all" | "deadline";
  readonly closesAt: number;
  /** Whose updates count, in the order in which they arrive; they, and only they, have to train. Empty when abandoned. */
  readonly counted: readonly Completed[];
  /** Lost before the close, in order. */
  readonly lost: readonly Lost[];
  /** Still at work at the close: whatever they send is acknowledged and thrown away. In the order of their ends. */
  readonly late: readonly DeviceCourse[];
}

/**
 * A synchronous round in FedScale's order: every invited device's end is known from the fleet model, so the round's end
 * is, and nobody whose update would be discarded is trained. Over-selection costs nothing. A round ends when K updates
 * are there (`goal`), when every device has answered or its connection is seen to be gone, or at the deadline (Bonawitz
 * et al. 2019, arXiv 1902.01046, section 2.2). The same for any order of `courses`: of two devices at one time, the one
 * of the lower number is first.
 */
export function planRound(courses: readonly DeviceCourse[], terms: RoundTerms): RoundPlan {
  const { goal, quorum, closeAt } = terms;
  const deadline = terms.startsAt + terms.reportingWindow;
  const inOrder = [...courses].sort((a, b) => a.at - b.at || a.device - b.device);
  const arrived: Completed[] = [];
  const lost: Lost[] = [];
  let awaited = inOrder.length;
  let closesAt = terms.startsAt;
  let closedBy: RoundPlan["closedBy"] = "all";
  let ended = 0;
  for (; awaited > 0; ended++) {
    const course = inOrder[ended];
    // Whoever falls silent is awaited until the deadline.
    if (course === undefined || course.at > deadline) {
      closesAt = deadline;
      closedBy = "deadline";
      break;
    }
    if (course.kind === "completes") arrived.push(course);
    else lost.push(course);
    if (course.kind === "completes" || !course.silent) {
      awaited--;
      closesAt = course.at;
    }
    if (closeAt === "goal" && arrived.length === goal) {
      closedBy = "goal";
      ended++;
      break;
    }
  }
  const outcome = arrived.length >= quorum ? "reported" : "abandoned";
  return {
    outcome,
    closedBy,
    closesAt,
    counted: outcome === "reported" ? arrived : [],
    lost,
    late: inOrder.slice(ended),
  };
}
