/** The options of `atpc inspect plan` that are about a device. Which devices there are, the command says when it runs. */
import type { Flag } from './compile-flags.ts';

export interface RooflineFlags {
  readonly device?: string;
  readonly ptxas?: string;
}
export const rooflineFlags = {
  device: {
    flags: '--device <name>',
    group: 'Output:',
    summary:
      'with -t cuda: predict every kernel on a GPU, dense and planned: h100, a100, l4, rtx4090, rtx5090 and others (docs/roofline.md)',
    defaultText: 'none',
    parse: (text) => text,
  },
  ptxas: {
    flags: '--ptxas <file>',
    group: 'Output:',
    summary: 'with --device: what ptxas -v printed for kernels.cu, for the registers of kernels',
    defaultText: 'registers are assumed',
    parse: (text) => text,
  },
} as const satisfies { readonly [K in keyof RooflineFlags]-?: Flag<string> };
