import { formatTable } from '../compiler/cli/table.ts';
import type { Rows } from './compare-tables.ts';

/** Prints a table whose first column has names and whose others have numbers. */
export function printTable(title: string, rows: Rows): void {
  const columns = (rows[0] ?? []).map((_, column) => column).slice(1);
  process.stdout.write(`\n${title}\n\n${formatTable(rows, columns)}\n`);
}
