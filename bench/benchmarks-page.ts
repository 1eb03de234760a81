/** docs/benchmarks.md: the tables with what they mean. */
import { code, table } from '../scripts/docs/markdown.ts';
import { agreement, type Comparison } from './compare-peers.ts';
import { coreOfOneThread, enoughOfACore, limitWords, ratesTable, threadsTable, timesTable, type Rows } from './compare-tables.ts';
import { decodeTable, memoryTable, prefillTable, type GenerationFigures } from './generation-tables.ts';
import { peersTitle } from './generation-peers-page.ts';
import { stretchTokens } from './generation-times.ts';
import type { KernelRates } from './kernel-rates.ts';
import { machineWords, type Machine } from './machine.ts';

/** A part that was not measured is null. */
export interface BenchFigures {
  readonly machine: Machine;
  readonly comparison: Comparison | null;
  readonly kernels: KernelRates | null;
}
/** Generation is measured by commands of its own, which take longer than all else: the page keeps their sections until they run again. */
export const generationTitle = '## Generation';

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

all-MiniLM-L6-v2 in f32, attention dense, every token read: a package that this version compiled, on WebAssembly and as machine code, and the same weights as an ONNX graph
in onnxruntime-web ${versions.onnxWeb} (its WebAssembly provider, in Node) and onnxruntime-node ${versions.onnxNode} (its CPU provider: native code, with the
widest vectors that the processor has). Milliseconds of a call from outside, its way to workers and back included; median, and from the fastest
to the slowest run. The last columns say how many times as long as the package of its kind a peer takes: above 1, atpc is faster.

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

export function generationSection(figures: GenerationFigures): string {
  const { dense } = figures.modes;
  const threads = [...new Set(Object.values(figures.modes).map((times) => times.threads))].join(' or ');
  const chunks = [...new Set(Object.values(figures.modes).map((times) => times.chunk))].join(' or ');
  return `${generationTitle}

SmolLM2-135M-Instruct from GGUF (Q4_1), compiled for sessions of 32,768 tokens, on ${machineWords(figures.machine)}; ${threads} threads.
${code('npm run bench:generation -- --write')} measures this again. The model was trained for 8,192 positions: beyond, time and memory are
claimed, not quality. _hybrid_ is ${code('examples/chat/plan.yaml')}: 16 of 90 KV heads keep all tokens as principal keys (${code('expand')}), the others
keep a constant number (${code('stream')}).

Reading a text (${code('prefill')}), ${chunks} tokens a call: over the first 2k, 8k and 32k tokens together, and by the calls just before each of these
lengths. By FLOPs, dense attention takes 4.75 times as long a token over 32k tokens as over 2k: each token takes 212 million
FLOPs of weights, and 69,120 for each token before it.

${markdown(prefillTable(figures, 'processorMilliseconds'))}

Decoding a token, at several numbers of tokens in the state (a call of the program, without sampling):

${markdown(decodeTable(figures, 'processorMilliseconds'))}

Both tables are processor time of all threads, which other programs on the machine disturb least: the median of the calls around a
length, and of decoding the time that a quarter of 64 calls kept under. The time that
a thread looks out for the other counts. As time that passed, on a machine that other programs may have shared:

${markdown(prefillTable(figures, 'milliseconds'))}

${markdown(decodeTable(figures, 'milliseconds'))}

Bytes of a session's state, and peak bytes of the memory with one session:

${markdown(memoryTable(figures))}

- The text is tiny-shakespeare.${
    dense?.wholeText === false
      ? ` Of dense, the first ${stretchTokens} tokens were read, then calls at some places, over copies of their keys and values: the time of
  dense attention does not depend on what the keys are. What lies between is taken by the line through those places.`
      : ''
  } hybrid and stream read all of it.
- Decoded tokens are taken back afterwards, so that the text goes on as it was.
`;
}
/** The section of a page with a title, up to the next one; empty where there is none. */
function sectionOf(page: string, title: string): string {
  const start = page.indexOf(`${title}\n`);
  if (start < 0) return '';
  const end = page.indexOf('\n## ', start + 1);
  return page.slice(start, end < 0 ? undefined : end + 1);
}
/** Puts a section in the place of the one with its title that the page has, or at its end. */
export function withSection(page: string, title: string, section: string): string {
  const old = sectionOf(page, title);
  return old === '' ? `${page.trimEnd()}\n\n${section}` : page.replace(old, () => `${section}\n`);
}
/** The sections of a page that commands of their own measure. */
export function keptSectionsOf(page: string): string {
  return [generationTitle, peersTitle].map((title) => sectionOf(page, title).trimEnd()).join('\n\n');
}

/** No machine with a GPU was at hand: the table has its rows, and no figures, until one is. */
const gpuSection = `## GPUs

Neither WebGPU nor CUDA has been measured on a GPU, since none was at hand: both were run in software alone, for their results. What the kernels
for CUDA cannot be faster than is in [roofline](roofline.md). ${code('atpc bench PACKAGE --backend cuda --profile')} measures yours.

${table(
  ['model', 'call', 'device', 'webgpu, ms', 'cuda, ms'],
  [
    ['all-MiniLM-L6-v2', '512 tokens', 'none', '', ''],
    ['SmolLM2-135M', 'prefill of 2048 tokens', 'none', '', ''],
    ['SmolLM2-135M', 'a token after 8192', 'none', '', ''],
  ],
)}
`;

/** `kept`: the sections on generation as they stand in the page. */
export function benchmarksPage({ machine, comparison, kernels }: BenchFigures, kept: string): string {
  return `<!-- Written by ${code('npm run bench -- --write')}, ${code('npm run bench:generation -- --write')} and ${code('npm run bench:llama -- --write')}: change bench/, not this file. -->

# Benchmarks

Measured on: ${machineWords(machine)}. Figures of another machine differ, and not by one factor:
[bench/](../bench/README.md) says how to run this on yours. Quality and the modes of attention are in [results](results.md).

${comparison ? peersSection(comparison) : ''}
${kernels ? kernelsSection(kernels) : ''}
${gpuSection}
${kept}`;
}
