/** `atpc eval`: dense attention against plans, on data of a person's own. */
import { AtpcError } from '../../runtime/errors.ts';
import { TextTokenizer } from '../../runtime/tokenizer.ts';
import { attentionShapes, encoderOf } from '../compile.ts';
import { encoderFor } from '../quality/quality-plan.ts';
import type { PlannedModel, ReadTime } from '../quality/planned-model.ts';
import { tokensOf } from '../quality/measure.ts';
import { longestSequence, openModel, type SourceModel } from '../source-model.ts';
import { evaluatedPlans, type EvaluatedPlan } from './evaluated-plans.ts';
import {
  evaluationDefaults,
  tasksOf,
  type EvaluationOptions,
  type EvaluationProgress,
  type EvaluationReport,
  type EvaluationRow,
  type EvaluationTaskName,
} from './evaluation.ts';
import type { EvaluationTask } from './evaluation-task.ts';
import { languageTask, passkeyTask, retrievalTask } from './generation-tasks.ts';
import { median } from './statistics.ts';
import { classifyTask, similarityTask } from './text-tasks.ts';

type Report = (phase: EvaluationProgress['phase'], fraction?: number, detail?: string) => void;

/**
 * Throws ATPC-301 to 305 for plans, and ATPC-301 for a type of weights, that do not fit, ATPC-311 for a task that the model is not for,
 * ATPC-316 where the package comes from another model, ATPC-608 for data that cannot be used, and the reason of an abort.
 */
export async function evaluate(given: EvaluationOptions): Promise<EvaluationReport> {
  const options = withStorageOfPackage(given);
  const { signal } = options;
  const report: Report = (phase, fraction, detail) => {
    signal?.throwIfAborted();
    options.onProgress?.({
      phase,
      ...(fraction === undefined ? {} : { fraction }),
      ...(detail === undefined ? {} : { detail }),
    });
  };
  report('read model');
  const source = await openModel(options.model, options);
  const name = taskNameOf(source, options.task);
  const encode = encoderFor(encoderOf(source), source.name);
  if (options.package) await checkOrigin(options.package, source, options);
  report('read data');
  const task = await taskOf[name]({ source, options, encode, most: options.documents ?? evaluationDefaults.documents[name] });
  const tokens = Math.max(...task.documents.map(({ document }) => document.length));
  const longest = source.context?.maxLength ?? longestSequence(source.graph);
  if (tokens > longest) {
    throw new AtpcError('ATPC-608', `A text has ${tokens} tokens, and ${source.name} takes ${longest}.`, {
      hint: 'Ask for shorter texts with --tokens.',
    });
  }
  const plans = await evaluatedPlans({ source, shapes: attentionShapes(source), encode, tokens, options });
  if (plans.length === 1) {
    throw new AtpcError('ATPC-301', 'Dense attention alone was asked for: there is nothing to hold it against.', {
      hint: 'Give shares below 1 with --keys, or a plan with --plan.',
    });
  }
  const rows: EvaluationRow[] = [];
  for (const [index, plan] of plans.entries()) {
    const progress = (detail: string, done: number): void =>
      report('measure', (index + done) / plans.length, `${plan.plan}, ${detail}`);
    rows.push(await measurePlan(plan, task, progress, { hasState: source.context !== null, signal }));
  }
  const { maxLoss } = options;
  const high = Math.max(...rows.map(({ loss }) => loss?.high ?? 0));
  return {
    model: source.name,
    task: name,
    data: { file: options.data, ...task.data, documents: task.documents.length, tokens: tokensOf(task.documents) },
    loss: { name: task.loss.name, unit: task.loss.unit, summary: task.loss.summary },
    measures: task.measures,
    rows,
    maxLoss: maxLoss === undefined ? null : { bound: maxLoss, met: high <= maxLoss },
    notes: [...task.notes, ...modelNotes(source, plans)],
  };
}

/** Dense attention and the plan of a package are held against each other on the weights that the package has. */
function withStorageOfPackage(options: EvaluationOptions): EvaluationOptions {
  const { storage: asked, ...others } = options;
  const { name = '', storage } = options.package ?? {};
  if (storage === undefined) return options;
  if (asked !== undefined && asked !== storage) {
    throw new AtpcError(
      'ATPC-301',
      `The package '${name}' was compiled ${storage === null ? 'without -q' : `with -q ${storage}`}, and -q ${asked} asks for other weights than it has.`,
      { hint: 'Leave -q out. What a plan loses on other weights is told of the model: atpc eval MODEL --plan FILE -q TYPE.' },
    );
  }
  return storage === null ? others : { ...others, storage };
}

function taskNameOf({ name, task }: SourceModel, asked: EvaluationTaskName | undefined): EvaluationTaskName {
  if (task.kind === 'tensors') {
    throw new AtpcError('ATPC-311', `${name} gives tensors, and has no task that could be evaluated.`, {
      hint: 'Models that embed, classify or generate have one.',
    });
  }
  const names: readonly EvaluationTaskName[] = tasksOf[task.kind];
  if (asked === undefined) return names[0] as EvaluationTaskName;
  if (names.includes(asked)) return asked;
  throw new AtpcError('ATPC-311', `The task ${asked} is not for ${name}, a model that ${kindWords[task.kind]}.`, {
    hint: `Tasks of such models: ${names.join(', ')}.`,
  });
}
const kindWords = { classify: 'classifies', embed: 'embeds', generate: 'generates' } as const;

async function checkOrigin(
  { name, modelHash }: NonNullable<EvaluationOptions['package']>,
  source: SourceModel,
  { signal }: EvaluationOptions,
): Promise<void> {
  const hash = await source.hash(signal);
  if (hash === modelHash) return;
  throw new AtpcError(
    'ATPC-316',
    `The package '${name}' was compiled from another model than ${source.name}: its manifest has the hash ${modelHash}, and the model ${hash}.`,
    { hint: 'Name the folder or file that the package was compiled from.' },
  );
}

interface TaskInput {
  readonly source: SourceModel;
  readonly options: EvaluationOptions;
  readonly encode: ReturnType<typeof encoderFor>;
  readonly most: number;
}
const taskOf: { readonly [K in EvaluationTaskName]: (input: TaskInput) => Promise<EvaluationTask> } = {
  classify(input) {
    const { task } = input.source;
    if (task.kind !== 'classify') throw new AtpcError('ATPC-399', 'A task of classifiers was given to another model.');
    return classifyTask(textInput(input), task);
  },
  sts: (input) => similarityTask(textInput(input)),
  lm: (input) => languageTask(generationInput(input)),
  passkey: (input) => passkeyTask(generationInput(input)),
  retrieval: (input) => retrievalTask(generationInput(input)),
};

function textInput({ source, options, encode, most }: TaskInput): Parameters<typeof classifyTask>[0] {
  const longest = Math.min(longestSequence(source.graph), source.tokenizer?.maxLength ?? Infinity);
  return { file: options.data, encode, most, maxTokens: Math.min(longest, options.tokens ?? longest) };
}
function generationInput({ source, options, encode, most }: TaskInput): Parameters<typeof languageTask>[0] {
  const { task, context, tokenizer } = source;
  if (task.kind !== 'generate' || context === null || !tokenizer) {
    throw new AtpcError('ATPC-399', 'A task of models that generate was given to another one.');
  }
  const parts = new TextTokenizer(tokenizer.json, tokenizer.config, Number.MAX_SAFE_INTEGER);
  return {
    file: options.data,
    encode,
    encodePart: (text) => parts.idsOf(text, false),
    most,
    tokens: Math.min(options.tokens ?? evaluationDefaults.tokens, context.maxLength),
    task,
  };
}

/** Tokens of a document that are read before anything is timed: kernels are compiled when they first run. */
const warmUp = 64;

async function measurePlan(
  plan: EvaluatedPlan,
  { documents, collect }: EvaluationTask,
  progress: (detail: string, done: number) => void,
  { hasState, signal }: { readonly hasState: boolean; readonly signal: AbortSignal | undefined },
): Promise<EvaluationRow> {
  progress('compiling', 0);
  const model: PlannedModel = await plan.instantiate();
  const collector = collect();
  const [first] = documents;
  if (first) await model.rows(first.document.slice(0, warmUp), [0], () => undefined);
  const times: ReadTime[] = [];
  const totals: number[] = [];
  for (const [index, { document, positions }] of documents.entries()) {
    progress(`text ${index + 1} of ${documents.length}`, index / documents.length);
    const own = await model.rows(document, positions, (row, values) => {
      // A document of a model that generates takes many seconds.
      signal?.throwIfAborted();
      collector.onRow(index, row, values);
    });
    times.push(...own);
    totals.push(own.at(-1)?.milliseconds ?? Number.NaN);
  }
  const { measures, loss } = collector.results();
  return {
    plan: plan.plan,
    mode: plan.mode,
    keys: plan.keys,
    measures,
    loss: plan.mode === 'dense' ? null : loss,
    milliseconds: median(totals),
    stateBytes: hasState ? model.stateBytes : null,
    times,
  };
}

function modelNotes({ name, tuned }: SourceModel, plans: readonly EvaluatedPlan[]): readonly string[] {
  if (tuned)
    return [
      `${name} was tuned with literal ATP: its dense attention is no reference, and the losses say how far a plan is from it.`,
    ];
  if (!plans.some(({ mode }) => mode === 'svd')) return [];
  return [`${name} was not tuned with literal ATP: \`atpc compile\` refuses svd for it without --force.`];
}
