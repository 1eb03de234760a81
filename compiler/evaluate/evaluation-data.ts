/** What the tasks of `atpc eval` read: texts with a label, and pairs of sentences with the score that people gave them. */
import { AtpcError } from '../../runtime/errors.ts';
import { evenly } from '../quality/repeats.ts';
import { dataFault, readDataRecords, type DataRecord, type DataRecords } from './data-records.ts';

export interface LabelledText {
  readonly text: string;
  /** Index among the labels of the model. */
  readonly label: number;
}
export interface SentencePair {
  readonly sentences: readonly [string, string];
  /** The more alike, the larger. */
  readonly score: number;
}
export interface EvaluationData<T> {
  /** At most as many as were asked for, evenly among those of the file. */
  readonly items: readonly T[];
  readonly found: number;
  readonly sha256: string;
}

/** Fewer have an interval that says nothing. */
const leastItems = 4;

const labelColumns = { text: ['text', 'sentence'], label: ['label'] } as const;
const labelHint =
  'A .jsonl has {"text": ..., "label": ...} a line; a .tsv or .csv has the text, then the label, or says in its first line where they are.';

/** Labels are indices, or the names that the model has for them. Throws ATPC-608. */
export async function readLabelledTexts(
  file: string,
  labels: readonly string[],
  most: number,
): Promise<EvaluationData<LabelledText>> {
  const data = await readDataRecords(file, Object.values(labelColumns).flat());
  // A model with one label says whether it applies.
  const count = Math.max(2, labels.length);
  return evaluationData(data, most, (record) => {
    const text = textOf(file, record, [...labelColumns.text, '0'], 'text', labelHint);
    const given = firstOf(record, [...labelColumns.label, '1']);
    const label = labelIndex(given, labels);
    if (label === null || label >= count) {
      const known = labels.map((name, index) => `${index} (${name})`).join(', ');
      const what =
        given === undefined ? 'the line has no label' : `the model has no label ${JSON.stringify(given)}; it has ${known}`;
      throw dataFault(file, record.line, what, labelHint);
    }
    return { text, label };
  });
}

function labelIndex(given: unknown, labels: readonly string[]): number | null {
  if (typeof given === 'boolean') return Number(given);
  const words = typeof given === 'number' || typeof given === 'string' ? String(given).trim() : '';
  if (/^\d{1,9}$/.test(words)) return Number(words);
  const index = labels.findIndex((label) => label.toLowerCase() === words.toLowerCase());
  return index < 0 ? null : index;
}

const pairColumns = {
  first: ['sentence1', 'text1'],
  second: ['sentence2', 'text2'],
  score: ['score', 'similarity_score', 'label'],
} as const;
const pairHint =
  'A .jsonl has {"sentence1": ..., "sentence2": ..., "score": ...} a line; a .tsv or .csv has the two sentences, then the score, or says in its first line where they are.';
/** Of the files of the STS benchmark, which have no line that names their columns: genre, file, year, id, score and the sentences. */
const benchmarkColumns = { score: '4', first: '5', second: '6' } as const;

/** Throws ATPC-608. */
export async function readSentencePairs(file: string, most: number): Promise<EvaluationData<SentencePair>> {
  const data = await readDataRecords(file, Object.values(pairColumns).flat());
  return evaluationData(data, most, (record) => {
    const benchmark = benchmarkColumns.second in record.fields;
    const place = benchmark ? benchmarkColumns : { first: '0', second: '1', score: '2' };
    const given = firstOf(record, [...pairColumns.score, place.score]);
    const score = typeof given === 'string' && given.trim() !== '' ? Number(given) : given;
    if (typeof score !== 'number' || !Number.isFinite(score)) {
      const what = given === undefined ? 'the line has no score' : `the score ${JSON.stringify(given)} is not a number`;
      throw dataFault(file, record.line, what, pairHint);
    }
    return {
      sentences: [
        textOf(file, record, [...pairColumns.first, place.first], 'first sentence', pairHint),
        textOf(file, record, [...pairColumns.second, place.second], 'second sentence', pairHint),
      ],
      score,
    };
  });
}

function firstOf({ fields }: DataRecord, names: readonly string[]): unknown {
  const name = names.find((candidate) => fields[candidate] !== undefined);
  return name === undefined ? undefined : fields[name];
}
function textOf(file: string, record: DataRecord, names: readonly string[], what: string, hint: string): string {
  const value = firstOf(record, names);
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw dataFault(file, record.line, `the line has no ${what}`, hint);
}

/** Every line is checked, also those that are left out. */
function evaluationData<T>(
  { file, records, sha256 }: DataRecords,
  most: number,
  itemOf: (record: DataRecord) => T,
): EvaluationData<T> {
  const items = records.map(itemOf);
  if (items.length < leastItems) {
    throw new AtpcError('ATPC-608', `${file} has ${items.length} lines of data, and an evaluation needs ${leastItems}.`);
  }
  // Files are often sorted, by label or by score.
  const taken = evenly(0, items.length, most).map((index) => items[index] as T);
  return { items: taken, found: items.length, sha256 };
}
