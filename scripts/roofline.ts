/** Writes docs/roofline.md. `npm run roofline` writes it; with `-- --check` it says whether it is out of date, and fails. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { rooflinePage } from './docs/roofline-page.ts';

const page = fileURLToPath(new URL('../docs/roofline.md', import.meta.url));
const notice = '<!-- Written by `npm run roofline`: change scripts/docs/roofline-page.ts, not this file. -->';

async function main(args: readonly string[]): Promise<number> {
  const check = args.includes('--check');
  const unknown = args.find((argument) => argument !== '--check');
  if (unknown !== undefined) {
    process.stderr.write(`roofline: the option '${unknown}' is not known. Usage: npm run roofline [-- --check]\n`);
    return 2;
  }
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  const text = await format(`${notice}\n\n${await rooflinePage()}\n`, { ...(await resolveConfig(page)), parser: 'markdown' });
  const isCurrent = text === (await readFile(page, 'utf8').catch(() => ''));
  if (isCurrent) process.stdout.write('docs/roofline.md is up to date.\n');
  else if (check) process.stderr.write('Out of date: docs/roofline.md. Run `npm run roofline`.\n');
  else {
    await writeFile(page, text);
    process.stdout.write('Written: docs/roofline.md\n');
  }
  return check && !isCurrent ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
