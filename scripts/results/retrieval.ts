/** How often SmolLM2 finds what lies far back, under each cache plan. */
import {
  farCopy,
  keyValue,
  passkey,
  type Question,
  type Questions,
  type TaskText,
} from '../../compiler/evaluate/retrieval-tasks.ts';
import { logSumExp } from '../../compiler/quality/loss.ts';
import { cachePlans, type CachePlanName } from './cache-plans.ts';
import type { CausalModel, CompiledCausalModel } from './causal-model.ts';
import { readWikiText } from './language-model.ts';

export interface RetrievalRow {
  readonly plan: CachePlanName;
  /** By the length of the texts in tokens: for each, whether greedy decoding gives its pass key. */
  readonly passkeys: Readonly<Record<string, readonly boolean[]>>;
  readonly keyValue: { readonly right: number; readonly asked: number };
  /** Mean loss of the tokens of the right values, nats. */
  readonly keyValueLoss: number;
  /** Mean loss of a passage's repeat, nats. */
  readonly copyLoss: number;
}
export interface Retrieval {
  readonly rows: readonly RetrievalRow[];
}

/** Where the key lies in each text; all are farther back than the exact window. */
export const passkeyDepths: Readonly<Record<number, readonly number[]>> = { 1500: [0.1, 0.4, 0.7], 4000: [0.1, 0.4] };
export const keyValueLists = { lists: 2, pairs: 90, asked: 8 } as const;
export const copies = 2;
const maxTokens = 4096;
export const retrievalPlans = ['dense', 'expand', 'hybrid 16', 'stream r = 128'] as const satisfies readonly CachePlanName[];

interface Answered {
  /** Greedy decoding gives the answer. */
  readonly right: boolean;
  readonly loss: number;
}
/** Decodes the answers token by token. Each is fed the right tokens, which are what greedy decoding takes as long as it is right. */
function ask(compiled: CompiledCausalModel, questions: Questions): readonly Answered[] {
  const text = compiled.open();
  try {
    return questions.map(({ prompt, answer }) => {
      let logits = text.read(prompt);
      let right = true;
      let loss = 0;
      for (const token of answer) {
        const expected = logits[token] ?? Number.NaN;
        right &&= logits.every((logit) => logit <= expected);
        loss += logSumExp(logits) - expected;
        logits = text.read([token]);
      }
      return { right, loss: loss / answer.length };
    });
  } finally {
    text.close();
  }
}

/** Mean loss of the answer, read in one piece. */
function lossOf(compiled: CompiledCausalModel, { prompt, answer }: Question): number {
  const text = compiled.open();
  try {
    text.read(prompt.slice(0, -1));
    let loss = 0;
    let next = 0;
    text.score([...prompt.slice(-1), ...answer.slice(0, -1)], (_, logits) => {
      loss += logSumExp(logits) - (logits[answer[next] ?? -1] ?? Number.NaN);
      next += 1;
    });
    return loss / answer.length;
  } finally {
    text.close();
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export async function measureRetrieval(
  model: CausalModel,
  data: string,
  progress: (text: string) => void,
  plans: readonly CachePlanName[] = retrievalPlans,
): Promise<Retrieval> {
  const filler = await readWikiText(data, model);
  const taskText = (seed: number): TaskText => ({ model, filler, seed });
  const rows: RetrievalRow[] = [];
  for (const plan of plans) {
    progress(`retrieval: ${plan}: compiling`);
    const compiled = await model.compile(await cachePlans[plan](model.heads, maxTokens), maxTokens);
    const passkeys = Object.entries(passkeyDepths).map(([tokens, depths]): readonly [string, readonly boolean[]] => {
      progress(`retrieval: ${plan}: pass keys in ${tokens} tokens`);
      const answers = depths.flatMap((depth, index) => ask(compiled, passkey(taskText(index + 1), Number(tokens), depth)));
      return [tokens, answers.map(({ right }) => right)];
    });
    progress(`retrieval: ${plan}: key and value`);
    const { lists, pairs, asked } = keyValueLists;
    const values = Array.from({ length: lists }, (_, list) => ask(compiled, keyValue(taskText(list + 1), pairs, asked))).flat();
    progress(`retrieval: ${plan}: far copies`);
    const copied = Array.from({ length: copies }, (_, copy) => lossOf(compiled, farCopy(taskText(copy + 1))));
    rows.push({
      plan,
      passkeys: Object.fromEntries(passkeys),
      keyValue: { right: values.filter(({ right }) => right).length, asked: values.length },
      keyValueLoss: mean(values.map(({ loss }) => loss)),
      copyLoss: mean(copied),
    });
  }
  return { rows };
}
