/** Where a stop string lies in a text, in UTF-16 units. */
export interface Stop {
  readonly start: number;
  readonly end: number;
}

/**
 * The stop string that is complete first, as if the text came unit by unit; of those that end together, the longest. So the answer
 * does not depend on how the text was split into tokens.
 */
export function firstStop(text: string, stops: readonly string[]): Stop | undefined {
  let first: Stop | undefined;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start < 0) continue;
    const end = start + stop.length;
    if (first === undefined || end < first.end || (end === first.end && start < first.start)) first = { start, end };
  }
  return first;
}

/** How much of the end of a text may be the beginning of a stop string, and is not to be given out yet. */
export function heldLength(text: string, stops: readonly string[]): number {
  let held = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > held; length--) {
      if (!text.endsWith(stop.slice(0, length))) continue;
      held = length;
      break;
    }
  }
  return held;
}
