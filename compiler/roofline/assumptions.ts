/** What a prediction takes for granted, in words: every report carries it. */
import { capabilities, type Device } from './devices.ts';
import { bytesPerClock, cacheBytesPerClock, launchSeconds, warpsForFullRate } from './prediction.ts';

const teraflops = (rate: number): string => `${(rate / 1e12).toLocaleString('en-US', { maximumFractionDigits: 1 })} TFLOP/s`;
const microseconds = (seconds: number): string => `${Number((seconds * 1e6).toPrecision(2))} us`;

export function assumptionsOf(device: Device, registersFromPtxas: boolean): readonly string[] {
  const { warpProductShare, specialPerClock } = capabilities[device.capability];
  return [
    'This is a prediction. No GPU has confirmed any of it: kernels do not reach a roofline, they stay under it.',
    `${device.title}: ${(device.bytesPerSecond / 1e9).toLocaleString('en-US')} GB/s of memory, ${teraflops(device.f32FlopsPerSecond)} in f32, ` +
      `${teraflops(device.halfFlopsPerSecond)} by tensor cores (f16 or bf16, sums in f32, no sparsity), ${device.multiprocessors} multiprocessors, ` +
      `all at the boost clock. From: ${device.source}.`,
    ...(warpProductShare < 1
      ? [
          `mma.sync reaches ${Math.round(warpProductShare * 100)} % of the tensor cores' peak, which takes wgmma on this chip (Luo et al. 2024, arXiv 2402.13499).`,
        ]
      : []),
    'Bytes: every operand of a kernel once, weights too, of caches the rows in use; what one kernel hands to the next goes through memory.',
    `What several thread blocks read again, each for its own tile, comes from the cache of the device (bound: cache), at ${cacheBytesPerClock.toLocaleString('en-US')} bytes a clock: ` +
      "what NVIDIA says of the A100's L2 cache, taken for every device. Larger than the cache or not, nothing is read from memory twice.",
    `FLOPs: a multiply-add is two; products at the rate of tensor cores where the kernel uses them, else of f32; exponentials and reciprocals ` +
      `${specialPerClock} a clock and multiprocessor, beside the others. Tiles that are not full take as long as full ones.`,
    'A kernel takes a launch, and then as long as its memory, its cache or its arithmetic, whichever is longest; kernels run one after the other.',
    `A launch takes ${microseconds(launchSeconds.stream)} from a stream (forward, prefill) and ${microseconds(launchSeconds.graph)} in a CUDA graph (decode).`,
    `Thread blocks are dealt out evenly: with fewer than multiprocessors the others idle, one that has under ${warpsForFullRate} warps runs at that share of its ` +
      `rate, and each reads at most ${bytesPerClock} bytes a clock.`,
    'Occupancy: by threads, blocks, registers and shared memory of a multiprocessor (CUDA C++ Programming Guide, compute capabilities); threads and shared ' +
      `memory are those of the emitted kernels, registers ${registersFromPtxas ? 'those that ptxas gave, where it did, else ' : ''}assumed by kind of kernel.`,
    'One sequence without padding. What depends on the text is taken at its average: clusters that a query expands where their number adapts.',
  ];
}
