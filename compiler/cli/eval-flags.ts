/** The options of `atpc eval` beside those that say which model. */
import { evaluationDefaults, evaluationTaskNames, tasksOf, type EvaluationTaskName } from '../evaluate/evaluation.ts';
import { attentionNames, oneOf, positiveInteger, positiveNumber } from './compile-flags.ts';
import type { Flag } from './compile-flags.ts';

export interface EvalFlags {
  readonly data?: string;
  readonly task?: EvaluationTaskName;
  readonly attn?: readonly string[];
  readonly keys?: readonly string[];
  readonly plan?: string;
  readonly maxLoss?: number;
  readonly tokens?: number;
  readonly documents?: number;
  readonly model?: string;
  readonly html?: string;
}

const { keys, mode, tokens, documents } = evaluationDefaults;
const list = (text: string): readonly string[] => text.split(',').map((part) => part.trim());
const planModes = attentionNames.filter((name) => name !== 'auto' && name !== 'hybrid');

export const evalFlags = {
  data: {
    flags: '--data <file>',
    group: 'Data:',
    summary:
      'what is read: classify: .jsonl, .tsv or .csv of text and label; sts: of two sentences and a score; lm, passkey, retrieval: text (.txt, .jsonl)',
    defaultText: 'none; it is needed',
    parse: (text) => text,
  },
  task: {
    flags: '--task <task>',
    group: 'Data:',
    summary: `what is measured: ${evaluationTaskNames.join(', ')}`,
    defaultText: `${tasksOf.classify[0]} for classifiers, ${tasksOf.embed[0]} for embeddings, ${tasksOf.generate[0]} for models that generate`,
    parse: (text) => oneOf('--task', 'ATPC-301', text, evaluationTaskNames),
  },
  documents: {
    flags: '--documents <number>',
    group: 'Data:',
    summary: 'lines, stretches or generated texts at most; of lines, evenly among those of the file',
    defaultText: Object.entries(documents)
      .map(([task, count]) => `${task} ${count}`)
      .join(', '),
    parse: (text) => positiveInteger('--documents', text),
  },
  tokens: {
    flags: '--tokens <number>',
    group: 'Data:',
    summary: 'tokens of a text at most; of lm, passkey and retrieval, of each',
    defaultText: `what the tokenizer takes; ${tokens} of models that generate`,
    parse: (text) => positiveInteger('--tokens', text),
  },
  model: {
    flags: '--model <model>',
    group: 'Model:',
    summary: 'with a compiled package: the model that it was compiled from, whose dense attention is the reference',
    defaultText: 'none',
    parse: (text) => text,
  },
  attn: {
    flags: '--attn <modes>',
    group: 'Attention:',
    summary: `modes to measure at each share of --keys, as a list: ${planModes.join(', ')}`,
    defaultText: mode,
    parse: (text) => list(text).map((part) => oneOf('--attn', 'ATPC-302', part, attentionNames)),
  },
  keys: {
    flags: '--keys <shares>',
    group: 'Attention:',
    summary:
      'shares of keys to measure, as a list; of a model that generates: principal keys a token (expand, cluster), or kept tokens (stream)',
    defaultText: `${keys.join(',')}; none where --plan alone is given`,
    parse: list,
  },
  plan: {
    flags: '--plan <file>',
    group: 'Attention:',
    summary: 'YAML file with the mode of each layer and head, to measure it too',
    defaultText: 'none',
    parse: (text) => text,
  },
  maxLoss: {
    flags: '--max-loss <number>',
    group: 'Attention:',
    summary: 'exit with 1 where the loss of a plan is above it, at the upper end of the 95 % interval',
    defaultText: 'none',
    parse: (text) => positiveNumber('--max-loss', text),
  },
  html: {
    flags: '--html <file>',
    group: 'Output:',
    summary: 'write a page with the table and its plots; it needs no network and no server',
    defaultText: 'none',
    parse: (text) => text,
  },
} as const satisfies { readonly [K in keyof Required<EvalFlags>]: Flag<NonNullable<EvalFlags[K]>> };
