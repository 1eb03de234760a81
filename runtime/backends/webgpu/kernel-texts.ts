/** Cuts a file of kernels at the lines `// === kernel NAME ===` (compiler/codegen/wgsl/target.ts). */
export function kernelTexts(file: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const [, ...parts] = file.split(/^\/\/ === kernel (.+) ===$/m);
  for (let at = 0; at + 1 < parts.length; at += 2) texts.set(parts[at] as string, (parts[at + 1] as string).trimStart());
  return texts;
}
