/** The indices of the `count` best of `candidates`, best first, ties to the lower index. */
export function best(candidates: readonly number[], score: Float64Array, count: number): number[] {
  return [...candidates].sort((a, b) => (score[b] as number) - (score[a] as number) || a - b).slice(0, Math.max(0, count));
}
