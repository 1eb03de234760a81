import { expect } from 'chai';
import { renderWgsl, webgpuTarget } from '../../compiler/codegen/wgsl/target.ts';
import type { AttentionKernelSegment, Kernel } from '../../compiler/kernel/kernel.ts';

/** Bytes of workgroup memory of a kernel, whose operands are said by their types: f for f32, i for i32. */
function workgroupBytes(kernel: Kernel, types: string): number {
  const operands = [...types].map((type, binding) => ({
    binding,
    elementType: type === 'i' ? ('i32' as const) : ('f32' as const),
    vectors: false,
  }));
  const pattern = { operands, written: operands.map(() => true) };
  const text = renderWgsl({ name: 'kernel', kernel, pattern }, { subgroups: 'none', half: false });
  const arrays = [...text.matchAll(/var<workgroup> \w+: array<([^;]+), (\d+)>;/g)];
  return arrays.reduce((sum, [, type = '', count]) => sum + Number(count) * (type.startsWith('vec4') ? 16 : 4), 0);
}

/** WebGPU, section 3.6.2, maxComputeWorkgroupStorageSize of every device. */
const limit = 16384;
describe('workgroup memory of WGSL kernels: what every device has is enough', () => {
  for (const [size, keysPerBlock, blockTokens] of [
    [64, 16, 128],
    [128, 64, 128],
    [256, 64, 128],
    [128, 16, 256],
  ] as const) {
    it(`for ${keysPerBlock} clusters of ${blockTokens} tokens with heads of ${size}`, () => {
      const sizes = { headSize: size, valueSize: size, blockTokens, keysPerBlock, iterations: 5 };
      expect(workgroupBytes({ kind: 'cluster', ...sizes }, 'ffiiiffff')).to.be.within(1, limit);
      expect(workgroupBytes({ kind: 'cluster_block', ...sizes }, 'ffffffi')).to.be.within(1, limit);
    });
  }
  for (const size of [32, 64, 128, 256]) {
    it(`for caches with heads of ${size}`, () => {
      const schedule = webgpuTarget.scoreKeysSchedule(size);
      const score = { kind: 'score_keys', headSize: size, scale: 1, atoms: 128, decay: 0.85, schedule } as const;
      expect(workgroupBytes(score, 'ffffi')).to.be.within(1, limit);
    });
    const keys = { kind: 'keys', bias: false, mask: false, causal: true, window: null, tokens: null } as const;
    const chosen: readonly (readonly [string, AttentionKernelSegment, string, boolean])[] = [
      ['clusters', { kind: 'clusters', expand: null, tokens: null }, 'fff', true],
      ['clusters chosen alone', { kind: 'clusters', expand: { most: 8, share: 0.01 }, tokens: null }, 'ffffiff', true],
      ['clusters chosen together', { kind: 'clusters', expand: { count: 8, tile: 16 }, tokens: null }, 'ffffiffi', false],
      ['ranked keys', { kind: 'ranked', projectedSize: 16, count: 8, rest: true, tokens: null }, 'ffffiif', false],
    ];
    for (const [name, segment, types, isCached] of chosen) {
      it(`for attention to keys and ${name}, with heads of ${size}`, () => {
        for (const decodes of isCached ? [false, true] : [false]) {
          const schedule = webgpuTarget.attentionSchedule(size, size, decodes);
          const own = { headSize: size, valueSize: size, scale: 1, segments: [keys, segment], logSumExp: true, schedule };
          expect(workgroupBytes({ kind: 'attention', ...own }, `fff${types}ff`), String(decodes)).to.be.within(1, limit);
        }
      });
    }
  }
});
