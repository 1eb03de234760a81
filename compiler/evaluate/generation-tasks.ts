/** Tasks of models that generate: the text itself, and answers that lie far back in it. */
import { AtpcError } from '../../runtime/errors.ts';
import type { Task } from '../../runtime/format/manifest.ts';
import type { Encode } from '../calibrate/calibrate.ts';
import { readDocuments, type TokenIds } from '../quality/documents.ts';
import { meanInterval, shareInterval } from '../quality/interval.ts';
import { largestLogit, logSumExp, losses, type RowDistance } from '../quality/loss.ts';
import { qualityDefaults } from '../quality/quality-defaults.ts';
import { evenly } from '../quality/repeats.ts';
import type { EvaluationTask } from './evaluation-task.ts';
import { keyValue, passkey, type Questions } from './retrieval-tasks.ts';

export interface GenerationTaskInput {
  readonly file: string;
  /** With the tokens that the model's tokenizer puts before a text. */
  readonly encode: Encode;
  /** Without them. */
  readonly encodePart: (text: string) => TokenIds;
  /** Of a text. */
  readonly tokens: number;
  readonly most: number;
  readonly task: Pick<Extract<Task, { kind: 'generate' }>, 'vocabulary'>;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The next tokens of a person's own text: perplexity, and how far the distributions are from those of dense attention. */
export async function languageTask({ file, encode, tokens, most, task }: GenerationTaskInput): Promise<EvaluationTask> {
  const { search, check, textHash, found } = await readDocuments({
    files: [file],
    encode,
    maxTokens: tokens,
    minTokens: Math.max(2, tokens >> 1),
    cut: 'stretches',
    counts: { search: 1, check: Math.max(2, most - 1) },
  });
  const texts = [...search, ...check];
  const { firstPosition, referenceBytes } = qualityDefaults;
  const rows = Math.max(64, Math.floor(referenceBytes / (texts.length * task.vocabulary * Uint16Array.BYTES_PER_ELEMENT)));
  const documents = texts.map((document) => ({
    document,
    // The last token has no next one.
    positions: evenly(Math.min(firstPosition, document.length >> 1), document.length - 1, rows),
  }));
  interface DenseRow {
    readonly distance: RowDistance;
    readonly best: number;
  }
  let dense: readonly (readonly DenseRow[])[] | undefined;
  return {
    data: { sha256: textHash, found },
    documents,
    loss: losses.generate,
    measures: [
      { name: 'perplexity', summary: 'exp of the mean negative log-likelihood of the next token, in nats', isShare: false },
      {
        name: 'agreement',
        summary: 'share of positions at which the likeliest next token is that of dense attention',
        isShare: true,
      },
    ],
    notes: [],
    collect() {
      const own: DenseRow[][] = documents.map(() => []);
      const reference = dense;
      dense ??= own;
      const surprise: number[][] = documents.map(() => []);
      const lost: number[][] = documents.map(() => []);
      const equal: number[][] = documents.map(() => []);
      return {
        onRow(index, row, logits) {
          const { document, positions } = documents[index] as (typeof documents)[number];
          const next = document[(positions[row] as number) + 1] as number;
          surprise[index]?.push(logSumExp(logits) - (logits[next] ?? Number.NaN));
          const best = largestLogit(logits);
          if (!reference) own[index]?.push({ distance: losses.generate.against(logits), best });
          const exact = reference?.[index]?.[row];
          lost[index]?.push(exact?.distance(logits) ?? 0);
          equal[index]?.push(Number(!exact || exact.best === best));
        },
        results() {
          const loss = meanInterval(surprise.map(mean));
          return {
            measures: {
              perplexity: { mean: Math.exp(loss.mean), low: Math.exp(loss.low), high: Math.exp(loss.high) },
              ...(reference ? { agreement: withinShares(meanInterval(equal.map(mean))) } : {}),
            },
            loss: losses.generate.interval(lost.map(mean)),
          };
        },
      };
    },
  };
}

function withinShares({ mean: middle, low, high }: ReturnType<typeof meanInterval>): ReturnType<typeof meanInterval> {
  return { mean: middle, low: Math.max(0, low), high: Math.min(1, high) };
}

/** Documents of the file that the filler is made of. */
const fillerDocuments = 32;

async function fillerOf({ file, encodePart, tokens }: GenerationTaskInput) {
  const { search, check, textHash, found } = await readDocuments({
    files: [file],
    encode: encodePart,
    maxTokens: tokens,
    minTokens: 1,
    cut: 'stretches',
    counts: { search: 1, check: fillerDocuments - 1 },
  });
  return { filler: [...search, ...check].flat(), data: { sha256: textHash, found } };
}

/** A number at different depths of a text that has nothing to do with it. */
export async function passkeyTask(input: GenerationTaskInput): Promise<EvaluationTask> {
  const { filler, data } = await fillerOf(input);
  const model = { encode: input.encodePart };
  const texts = Array.from({ length: input.most }, (_, index) =>
    passkey({ model, filler, seed: index + 1 }, input.tokens, (index + 0.5) / input.most),
  );
  return answerTask(data, texts);
}

/** At most so many lines of a list, and questions for them. */
const mostPairs = 90;
const mostAsked = 8;

/** Lists of names and numbers, the filler, and questions for some of the names. */
export async function retrievalTask(input: GenerationTaskInput): Promise<EvaluationTask> {
  const { filler, data } = await fillerOf(input);
  const model = { encode: input.encodePart };
  // The longest of the lines, with what stands before a question.
  const line = model.encode('\n\nThe number of the purple mountain is 1234.\n').length;
  const pairs = Math.min(mostPairs, Math.floor(input.tokens / 2 / line));
  if (pairs < 2) {
    throw new AtpcError(
      'ATPC-608',
      `A text of ${input.tokens} tokens has no room for a list of two lines, of ${line} tokens each.`,
    );
  }
  const asked = Math.min(mostAsked, pairs >> 1);
  const between = Math.max(0, input.tokens - (pairs + asked) * line);
  const texts = Array.from({ length: input.most }, (_, index) =>
    keyValue({ model, filler, seed: index + 1 }, pairs, asked, between),
  );
  return answerTask(data, texts);
}

/**
 * Greedy decoding of the answers. The model is given the right tokens, which are what greedy decoding takes as long as it is right, and
 * so reads prompt and answers in one go.
 */
function answerTask(data: EvaluationTask['data'], texts: readonly Questions[]): EvaluationTask {
  interface Asked {
    readonly document: TokenIds;
    readonly positions: readonly number[];
    /** Question of each position. */
    readonly questions: readonly number[];
  }
  let total = 0;
  const documents = texts.map((questions): Asked => {
    const document: number[] = [];
    const positions: number[] = [];
    const asked: number[] = [];
    for (const { prompt, answer } of questions) {
      document.push(...prompt);
      for (const token of answer) {
        positions.push(document.length - 1);
        asked.push(total);
        document.push(token);
      }
      total += 1;
    }
    return { document, positions, questions: asked };
  });
  let dense: readonly boolean[] | undefined;
  return {
    data,
    documents,
    loss: {
      name: 'lost answers',
      unit: 'share of answers',
      summary: 'share of answers that dense attention gives and the plan does not',
    },
    measures: [{ name: 'right answers', summary: 'share of answers that greedy decoding gives', isShare: true }],
    notes: [],
    collect() {
      const right = Array.from({ length: total }, () => true);
      const reference = (dense ??= right);
      return {
        onRow(index, row, logits) {
          const { document, positions, questions } = documents[index] as Asked;
          if (largestLogit(logits) !== document[(positions[row] as number) + 1]) right[questions[row] as number] = false;
        },
        results: () => ({
          measures: { 'right answers': shareInterval(right.filter(Boolean).length, total) },
          loss: shareInterval(right.filter((own, index) => reference[index] === true && !own).length, total),
        }),
      };
    },
  };
}
