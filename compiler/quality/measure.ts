/** Losses of a planned model on documents, against what the dense model gave. */
import type { TokenIds } from './documents.ts';
import type { LossDefinition, RowDistance } from './loss.ts';
import type { PlannedModel, Positions } from './planned-model.ts';

/** What the dense model gave for a document. */
export interface Reference {
  readonly document: TokenIds;
  readonly positions: Positions;
  readonly rows: readonly RowDistance[];
}
export interface ScoredDocument {
  readonly document: TokenIds;
  readonly positions: Positions;
}

/** `onDocument` is called before each document; what it throws ends the work. */
export async function denseReferences(
  dense: PlannedModel,
  documents: readonly ScoredDocument[],
  { against }: Pick<LossDefinition, 'against'>,
  onDocument: (index: number) => void,
): Promise<readonly Reference[]> {
  const references: Reference[] = [];
  for (const [index, { document, positions }] of documents.entries()) {
    onDocument(index);
    const rows: RowDistance[] = [];
    await dense.rows(document, positions, (row, values) => (rows[row] = against(values)));
    references.push({ document, positions, rows });
  }
  return references;
}

/** The loss of each document. Where their sum passes `mostTotal`, the rest is not measured: losses are not negative. */
export async function documentLosses(
  model: PlannedModel,
  references: readonly Reference[],
  onDocument: (index: number) => void,
  mostTotal = Infinity,
): Promise<readonly number[]> {
  const losses: number[] = [];
  let total = 0;
  for (const [index, { document, positions, rows }] of references.entries()) {
    onDocument(index);
    let sum = 0;
    await model.rows(document, positions, (row, values) => (sum += rows[row]?.(values) ?? Number.NaN));
    const loss = sum / rows.length;
    losses.push(loss);
    total += loss;
    if (total > mostTotal) break;
  }
  return losses;
}

export function tokensOf(documents: readonly { readonly document: TokenIds }[]): number {
  return documents.reduce((sum, { document }) => sum + document.length, 0);
}
