/** docs/benchmarks.md: the tables with what they mean. */
import { code, table } from '../scripts/docs/markdown.ts';
import { agreement, type Comparison } from './compare-peers.ts';
import { coreOfOneThread, enoughOfACore, limitWords, ratesTable, threadsTable, timesTable, type Rows } from './compare-tables.ts';
import type { KernelRates } from './kernel-rates.ts';
import type { Machine } from './machine.ts';

/** A part that was not measured is null. */
export interface BenchFigures {
  readonly machine: Machine;
  readonly comparison: Comparison | null;
  readonly kernels: KernelRates | null;
}

const markdown = ([head = [], ...rows]: Rows): string => table(head, rows);

function coreWords(comparison: Comparison): string {
  const core = coreOfOneThread(comparison);
  if (core === null) return '';
  const [least, most] = core.map((share) => share.toFixed(2));
  const disturbed = core[0] < enoughOfACore ? ': **other programs ran beside them, measure again**' : '';
  return ` Peers with one thread had ${least} to ${most} of a core${disturbed}.`;
}

function peersSection(comparison: Comparison): string {
  const { versions, cases } = comparison;
  const difference = Math.max(...cases.map(({ largestDifference }) => largestDifference)).toExponential(0);
  const threads = threadsTable(comparison);
  return `## Beside ONNX Runtime

all-MiniLM-L6-v2 in f32, attention dense, every token read: a package that this version compiled, and the same weights as an ONNX graph
in onnxruntime-web ${versions.web} (its WebAssembly provider, in Node) and onnxruntime-node ${versions.native} (its CPU provider: native code, with the
widest vectors that the processor has). Milliseconds of a call from outside, its way to workers and back included; median, and from the fastest
to the slowest run. The last columns say how many times as long as atpc a peer takes: above 1, atpc is faster.

${markdown(timesTable(comparison))}

- Random ids from a fixed seed, without padding. Before a case is timed, the hidden states of all peers are compared: they may differ by
  ${agreement}, and differed by ${difference} at most.
- Every peer has a process of its own for each number of threads. All but the one that runs are stopped (SIGSTOP), since ONNX Runtime's
  idle threads wait in loops; so every peer keeps the settings that it is fastest with. They take turns, one after the other, in one run.
- Warm-up: at least a second for each. The first run of a turn of short runs does not count.
${threads ? `\nWhat more threads give, and how many cores a peer kept busy with them (waiting in loops counts).${coreWords(comparison)}\n\n${markdown(threads)}\n` : ''}`;
}

function kernelsSection(kernels: KernelRates): string {
  return `## Kernels beside the SIMD limit

What ${code('atpc bench --profile')} says of products (gemm) and attention at batch 1: all kernels of a kind together, and the slowest of them. The limit
is measured: a loop of independent multiply-adds in registers, ${limitWords(kernels)}, a core; with several
threads it is that times the threads. MiniLM has heads of 32; for heads of 64 its weights are read as 6 heads, which says nothing but does
the same work.

${markdown(ratesTable(kernels))}
`;
}

export function benchmarksPage({ machine, comparison, kernels }: BenchFigures): string {
  const { processor, cores, memoryGibibytes, node } = machine;
  return `<!-- Written by ${code('npm run bench -- --write')}: change bench/, not this file. -->

# Benchmarks

Measured on: ${processor}, ${cores} cores, ${memoryGibibytes} GiB, Node ${node}. Figures of another machine differ, and not by one factor:
[bench/](../bench/README.md) says how to run this on yours. Quality and the modes of attention are in [results](results.md).

${comparison ? peersSection(comparison) : ''}
${kernels ? kernelsSection(kernels) : ''}`;
}
