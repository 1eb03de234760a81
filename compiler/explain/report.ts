/** An explanation at one length, with or without measured times: what `atpc explain` prints, and draws. */
import type { ManifestAttention } from '../../runtime/format/manifest.ts';
import { workOf, type Dims } from './costs.ts';
import {
  boundaryReasons,
  kindWords,
  type ExplainedNode,
  type ExplainedSource,
  type ExplainedStep,
  type Explanation,
} from './explanation.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}
export interface ExplainInput {
  readonly name: string;
  readonly explanation: Explanation;
  readonly attention: ManifestAttention;
  readonly approximations: readonly string[];
  readonly dims: Dims;
  /** Milliseconds of each step, and of a whole run; null where nothing was measured. */
  readonly measured: { readonly steps: ReadonlyMap<number, Spread>; readonly run: Spread; readonly how: string } | null;
}

export interface Total {
  readonly flops: number;
  readonly bytes: number;
  readonly predictedMilliseconds: number;
  /** Sum of medians; null without a profile. */
  readonly measuredMilliseconds: number | null;
}
export interface ReportStep extends Omit<ExplainedStep, 'costs' | 'when' | 'bytes'> {
  readonly step: number;
  /** The label without the path of its layer. */
  readonly title: string;
  /** The kind in words, and the ops that it computes. */
  readonly what: string;
  readonly result: string;
  /** `model.ts:12,14`, one for each file that it came from. */
  readonly lines: readonly string[];
  readonly to: readonly number[];
  readonly reason: string;
  /** False for a step that inputs of this length do not need. */
  readonly runs: boolean;
  readonly dispatches: number;
  readonly flops: number;
  readonly gatheredFlops: number;
  readonly bytes: number;
  readonly predictedMilliseconds: number;
  readonly measured: Spread | null;
}
export interface ReportSection {
  readonly title: string;
  readonly layer: number | null;
  readonly steps: readonly number[];
  readonly total: Total;
}
export interface ExplainReport {
  readonly model: string;
  readonly target: Explanation['target'];
  readonly dims: Dims;
  readonly attention: ManifestAttention;
  readonly approximations: readonly string[];
  readonly measured: { readonly run: Spread; readonly how: string } | null;
  readonly total: Total;
  readonly sections: readonly ReportSection[];
  readonly steps: readonly ReportStep[];
  readonly nodes: readonly ExplainedNode[];
  readonly sources: readonly ExplainedSource[];
}

export function explainReport({ name, explanation, attention, approximations, dims, measured }: ExplainInput): ExplainReport {
  const { target, nodes, sources } = explanation;
  const readers = explanation.steps.map((): number[] => []);
  explanation.steps.forEach(({ from }, step) => from.forEach((source) => readers[source]?.push(step)));
  const steps = explanation.steps.map((explained, step): ReportStep => {
    const { costs: _costs, when: _when, ...kept } = explained;
    const own = explained.nodes.flatMap((index) => nodes[index] ?? []);
    return {
      ...kept,
      ...workOf(explained, target, dims),
      step,
      title: titleOf(explained),
      what: `${kindWords[explained.kind]}${own.length === 0 ? '' : `: ${own.map(({ op }) => op).join(', ')}`}`,
      result: own.at(-1)?.type ?? '',
      lines: linesOf(own, sources),
      to: readers[step] ?? [],
      reason: boundaryReasons[explained.boundary],
      measured: measured?.steps.get(step) ?? null,
    };
  });
  return {
    model: name,
    target,
    dims,
    attention,
    approximations,
    measured: measured && { run: measured.run, how: measured.how },
    total: totalOf(steps, measured !== null),
    sections: sectionsOf(steps, measured !== null),
    steps,
    nodes,
    sources,
  };
}

/** `encoder.layer.0.self.linear + linear + linear` -> `self.3 x linear`. */
function titleOf({ label, layer }: ExplainedStep): string {
  const short = layer === null ? label : label.replace(new RegExp(`^(?:.*\\.)?${layer}\\.`), '');
  const [first = '', ...others] = short.split(' + ');
  const last = others[0] ?? '';
  if (others.length === 0 || !first.endsWith(last) || others.some((name) => name !== last)) return short;
  return `${first.slice(0, first.length - last.length)}${others.length + 1} \u00d7 ${last}`;
}

function linesOf(nodes: readonly ExplainedNode[], sources: readonly ExplainedSource[]): readonly string[] {
  const lines = new Map<number, Set<number>>();
  for (const { at } of nodes) if (at) lines.set(at[0], (lines.get(at[0]) ?? new Set()).add(at[1]));
  return [...lines].map(([source, own]) => `${sources[source]?.file ?? ''}:${[...own].sort((a, b) => a - b).join(',')}`);
}

function totalOf(steps: readonly ReportStep[], profiled: boolean): Total {
  const sum = (value: (step: ReportStep) => number): number => steps.reduce((total, step) => total + value(step), 0);
  return {
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    predictedMilliseconds: sum(({ predictedMilliseconds }) => predictedMilliseconds),
    measuredMilliseconds: profiled ? sum(({ measured }) => measured?.median ?? 0) : null,
  };
}

/** Before the layers, layer by layer, after them: in the order of the program, but what belongs to no layer stays out of them. */
function sectionsOf(steps: readonly ReportStep[], profiled: boolean): readonly ReportSection[] {
  const numbered = steps.filter(({ layer }) => layer !== null);
  const last = numbered.at(-1)?.step ?? Infinity;
  const titleOf = ({ layer, step }: ReportStep): string =>
    layer !== null ? `Layer ${layer}` : step < last ? 'Before the layers' : 'After the layers';
  const groups = new Map<string, ReportStep[]>();
  for (const step of steps) {
    const title = numbered.length === 0 ? 'All' : titleOf(step);
    groups.set(title, [...(groups.get(title) ?? []), step]);
  }
  return [...groups].map(([title, own]) => ({
    title,
    layer: own[0]?.layer ?? null,
    steps: own.map(({ step }) => step),
    total: totalOf(own, profiled),
  }));
}
