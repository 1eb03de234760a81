/** What peers took on SmolLM2: tables, the section of docs/benchmarks.md and its plot. */
import { formatMilliseconds } from '../compiler/cli/terminal.ts';
import { code, table } from '../scripts/docs/markdown.ts';
import type { GenerationComparison } from './compare-generation-peers.ts';
import type { Rows } from './compare-tables.ts';
import { generationPeerNames, generationPeers, type GenerationPeerName } from './generation-peers.ts';
import { machineWords, type Machine } from './machine.ts';

export interface GenerationPeersFigures {
  readonly machine: Machine;
  readonly comparison: GenerationComparison;
}
export const peersTitle = '## Beside llama.cpp';

const lengthsOf = ({ times }: GenerationComparison): readonly number[] =>
  [...new Set(times.map(({ tokens }) => tokens))].sort((a, b) => a - b);
const peersOf = ({ times }: GenerationComparison): readonly GenerationPeerName[] =>
  generationPeerNames.filter((peer) => times.some((time) => time.peer === peer));

/** A row a peer, a column a length; and how many times as long as it llama.cpp takes. */
export function readingTable(comparison: GenerationComparison, what: 'prefill' | 'decode'): Rows {
  const lengths = lengthsOf(comparison);
  const timeOf = (peer: GenerationPeerName, tokens: number) =>
    comparison.times.find((time) => time.peer === peer && time.tokens === tokens)?.[what];
  const head = ['', ...lengths.flatMap((tokens) => [`${tokens} tokens`, 'llama.cpp / it'])];
  const rows = peersOf(comparison).map((peer) => [
    generationPeers[peer].label,
    ...lengths.flatMap((tokens) => {
      const [own, llama] = [timeOf(peer, tokens), timeOf('llama', tokens)];
      if (own === undefined) return ['-', ''];
      const [middle, least, most] = [own.median, own.min, own.max].map(formatMilliseconds);
      const spread = own.min === own.max ? middle : `${middle} (${least} to ${most})`;
      return [spread ?? '', llama ? `${(llama.median / own.median).toFixed(2)}x` : ''];
    }),
  ]);
  return [head, ...rows];
}

export function peersSection({ machine, comparison }: GenerationPeersFigures, plot: string): string {
  const markdown = ([head = [], ...rows]: Rows): string => table(head, rows);
  const { threads, versions, agreement } = comparison;
  const said = peersOf(comparison)
    .map((peer) => `${generationPeers[peer].label} ${agreement.same[peer] ?? 0}`)
    .join(', ');
  return `${peersTitle}

SmolLM2-135M-Instruct from one GGUF file (Q4_1), ${threads} threads each, on ${machineWords(machine)}. llama.cpp is ${versions.llama ?? '-'} in
node-llama-cpp's own binaries, with flash attention; wllama is ${versions.wllama ?? '-'}, in Chromium on a page with cross-origin isolation. llama.cpp and wllama
keep every token and multiply by 8-bit activations; _dense_ of atpc keeps every token too, and _hybrid_ is ${code('examples/chat/plan.yaml')}, whose
loss is in [results](results.md). ${code('npm run bench:llama -- --write')} measures this again.

Reading a text, milliseconds a token of it (median of turns, from fastest to slowest), and how many times as long llama.cpp takes:

${markdown(readingTable(comparison, 'prefill'))}

Decoding after it, milliseconds a token:

${markdown(readingTable(comparison, 'decode'))}

![milliseconds a token over the length of the text](${plot})

- The text is tiny-shakespeare; the model was trained for 8,192 positions, and beyond, time is compared, not quality.
- Every peer has a process of its own, and all but the one that runs are stopped. They take turns.
- Before anything was timed, each named the next token of ${agreement.prompts} prompts: so many were those of the first row: ${said}.
`;
}

/** Milliseconds a token over the length, a line a peer, as SVG. Drawn by Vega, a dependency of this folder alone. */
export async function timesPlot(comparison: GenerationComparison): Promise<string> {
  const [vegaName, liteName] = ['vega', 'vega-lite'];
  const vega = (await import(vegaName)) as {
    readonly View: new (runtime: unknown, options: object) => { toSVG(): Promise<string> };
    parse(spec: unknown): unknown;
  };
  const lite = (await import(liteName)) as { compile(spec: object): { readonly spec: unknown } };
  const values = comparison.times.flatMap(({ peer, tokens, prefill, decode }) => [
    { peer: generationPeers[peer].label, tokens, milliseconds: prefill.median, what: 'reading a token' },
    { peer: generationPeers[peer].label, tokens, milliseconds: decode.median, what: 'decoding a token' },
  ]);
  const { spec } = lite.compile({
    data: { values },
    background: 'white',
    facet: { field: 'what', type: 'nominal', title: null, sort: 'descending' },
    resolve: { scale: { y: 'independent' } },
    spec: {
      width: 360,
      height: 260,
      mark: { type: 'line', point: true },
      encoding: {
        x: { field: 'tokens', type: 'quantitative', scale: { type: 'log', base: 2 }, title: 'tokens read before' },
        y: { field: 'milliseconds', type: 'quantitative', scale: { type: 'log' }, title: 'milliseconds' },
        color: { field: 'peer', type: 'nominal', title: null },
      },
    },
  });
  return new vega.View(vega.parse(spec), { renderer: 'none' }).toSVG();
}
