import { attentionSchedule } from '../../compiler/codegen/native/attention.ts';
import { renderNativeModule } from '../../compiler/codegen/native/module.ts';
import { scratchBytes } from '../../compiler/codegen/native/renderers.ts';
import type { Kernel } from '../../compiler/kernel/kernel.ts';
import type { AttentionBackend } from './attention-kernels.ts';
import { loadLibrary, nativeLevels } from './native-library.ts';

/** Bytes from one array in the memory to the next, a multiple of this. */
const alignment = 64;

export const nativeAttention: AttentionBackend = {
  name: 'native',
  tolerance: 2e-6,
  builds: nativeLevels.map((title) => ({ title, skip: () => undefined })),
  schedule: attentionSchedule,
  otherSchedule: { queryTile: 16, keyTile: 12, fewQueries: true },
  run({ kernel, operands, integers, results, items }, build) {
    const level = nativeLevels.find((title) => title === build);
    if (level === undefined) throw new RangeError(`No level ${build}.`);
    const call = loadLibrary(renderNativeModule([{ name: 'attention', kernel }]), level);
    let used = 0;
    const reserve = (bytes: number): number => {
      const at = used;
      used += Math.ceil(bytes / alignment) * alignment;
      return at;
    };
    const scratch = reserve(Number(scratchBytes(kernel as Kernel & typeof kernel, integers)));
    const placed = operands.map((data) => reserve(data.byteLength));
    const written = results.map((length) => reserve(length * 4));
    return Promise.resolve(
      [[], [1, 2, 5], [3]].map((cuts) => {
        const memory = new Uint8Array(used).fill(0xff);
        operands.forEach((data, i) => memory.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), placed[i]));
        const bounds = [0, ...cuts.filter((cut) => cut < items), items];
        bounds.slice(1).forEach((end, i) => {
          const parameters = [bounds[i] ?? 0, end, scratch, ...placed, ...written, ...integers];
          call(0, BigInt64Array.from(parameters, BigInt), memory);
        });
        const [result = new Float32Array(), logSumExp = new Float32Array()] = results.map(
          (length, i) => new Float32Array(memory.slice(written[i], (written[i] ?? 0) + length * 4).buffer),
        );
        return { result, logSumExp };
      }),
    );
  },
};
