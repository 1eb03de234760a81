import { eigenSymmetric, signOfLargest } from '../../ir/eigen.ts';
import { projectedSize } from '../../passes/atp/modes/topr.ts';
import type { MemoryTensor } from '../weights/tensor-source.ts';
import type { CapturedLayer } from './capture.ts';
import { secondMoments } from './second-moments.ts';

/**
 * The principal directions of each key/value head of a layer, [G, e, p]: eigenvectors of K^T K over all captured keys, the
 * largest eigenvalue first (atp-modes.md, topr). Signs are fixed so that the largest component is positive.
 */
export function principalDirections(captured: readonly CapturedLayer[]): MemoryTensor {
  const [, heads = 0, , size = 0] = captured[0]?.key.shape ?? [];
  const kept = projectedSize(size);
  const keys = captured.map(({ key }) => key);
  const data = new Float32Array(heads * size * kept);
  for (let head = 0; head < heads; head += 1) {
    const { vectors } = eigenSymmetric(secondMoments(keys, [head], size), size);
    vectors.slice(0, kept).forEach((vector, direction) => {
      const sign = signOfLargest(vector);
      for (let row = 0; row < size; row += 1) data[(head * size + row) * kept + direction] = sign * (vector[row] ?? 0);
    });
  }
  return { shape: [heads, size, kept], data };
}
