/** What `atpc eval` measures, and what it prints: light to load, since the command line names the tasks in its help. */
import type { Interval } from '../quality/interval.ts';
import type { ReadTime } from '../quality/planned-model.ts';
import type { HubProgress } from '../hub/hub-model.ts';
import type { WeightType } from '../compile-options.ts';
import type { Manifest } from '../../runtime/format/manifest.ts';

/** By the kind of model that has it; the first is taken where none is named. */
export const tasksOf = {
  classify: ['classify'],
  embed: ['sts'],
  generate: ['lm', 'passkey', 'retrieval'],
} as const;
export type EvaluationTaskName = (typeof tasksOf)[keyof typeof tasksOf][number];
export const evaluationTaskNames: readonly EvaluationTaskName[] = Object.values(tasksOf).flat();

export const evaluationDefaults = {
  keys: ['1/2', '1/4', '1/8'],
  mode: 'expand',
  /** Tokens of a text of a model that generates. */
  tokens: 2048,
  /** Lines, stretches or generated texts that are read at most. */
  documents: { classify: 1000, sts: 1500, lm: 8, passkey: 10, retrieval: 4 },
} as const satisfies {
  readonly documents: Readonly<Record<EvaluationTaskName, number>>;
} & Readonly<Record<string, unknown>>;

export interface EvaluationOptions {
  /** As for `compile`. */
  readonly model: string;
  readonly weights?: string;
  /** Of a package that says how its weights are stored, nothing else than that. */
  readonly storage?: WeightType;
  readonly maxLength?: number;
  readonly beyondTrainedContext?: boolean;
  /** The manifest of a package that was compiled from the model: its plan is what is measured, on weights stored as in it. */
  readonly package?: Pick<Manifest, 'name' | 'modelHash' | 'storage' | 'attention'>;
  readonly data: string;
  /** By default what the model is for. */
  readonly task?: EvaluationTaskName;
  readonly attention?: readonly string[];
  readonly keys?: readonly string[];
  readonly plan?: string;
  /** Tokens of a text at most. */
  readonly tokens?: number;
  readonly documents?: number;
  /** Held against the upper ends of the losses. */
  readonly maxLoss?: number;
  readonly signal?: AbortSignal;
  readonly onDownload?: (progress: HubProgress) => void;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}
export const evaluationPhases = ['read model', 'read data', 'measure'] as const;
export interface EvaluationProgress {
  readonly phase: (typeof evaluationPhases)[number];
  /** 0 to 1 within the phase, where it is known. */
  readonly fraction?: number;
  readonly detail?: string;
}

export interface Measure {
  readonly name: 'accuracy' | 'agreement' | 'spearman' | 'perplexity' | 'right answers';
  /** What is measured, for people. */
  readonly summary: string;
  /** Shares are shown as per cents. */
  readonly isShare: boolean;
}
export interface EvaluationLoss {
  readonly name: string;
  readonly unit: string;
  readonly summary: string;
}
export interface EvaluationRow {
  /** `dense`, `expand 1/4`, or where the plan comes from. */
  readonly plan: string;
  /** Null for a plan that may have several. */
  readonly mode: string | null;
  /** Share of keys that was asked for, 1 for dense; null for a plan that may have several. */
  readonly keys: number | null;
  /** By the names of the measures: the value, and its 95 % interval. */
  readonly measures: Readonly<Partial<Record<Measure['name'], Interval>>>;
  /** Against dense attention; null for that itself. */
  readonly loss: Interval | null;
  /** Median of the documents. */
  readonly milliseconds: number;
  /** What a session of the longest document keeps; null for a model without state. */
  readonly stateBytes: number | null;
  /** Of every document, and of a model that generates, also at lengths within it. */
  readonly times: readonly ReadTime[];
}
export interface EvaluationReport {
  readonly model: string;
  readonly task: EvaluationTaskName;
  readonly data: {
    readonly file: string;
    readonly sha256: string;
    /** Lines, or documents, that the file holds. */
    readonly found: number;
    /** Texts that the model read, each once. */
    readonly documents: number;
    readonly tokens: number;
  };
  readonly loss: EvaluationLoss;
  readonly measures: readonly Measure[];
  /** Dense attention first. */
  readonly rows: readonly EvaluationRow[];
  readonly maxLoss: { readonly bound: number; readonly met: boolean } | null;
  readonly notes: readonly string[];
}
