import { AtpcError } from '../../errors.ts';
import { dispatchSteps, type EntryPoint, type Program } from '../../format/program.ts';

export type ExportedKernel = (...integers: number[]) => void;

/** The exports that the program's steps call; throws ATPC-403 for one that is missing or takes another number of parameters. */
export function kernelsOf(program: Program, exports: WebAssembly.Exports): Map<string, ExportedKernel> {
  const kernels = new Map<string, ExportedKernel>();
  const entries = Object.values(program.entryPoints) as readonly EntryPoint[];
  for (const step of entries.flatMap(({ steps }) => dispatchSteps(steps))) {
    const kernel = exports[step.kernel];
    const parameters = 3 + step.operands.length + step.integers.length;
    if (typeof kernel !== 'function') {
      throw new AtpcError('ATPC-403', `The kernel '${step.kernel}' of program.json is not in the kernel file.`);
    }
    if (kernel.length !== parameters) {
      throw new AtpcError(
        'ATPC-403',
        `The kernel '${step.kernel}' takes ${kernel.length} parameters; program.json gives it ${parameters}.`,
      );
    }
    kernels.set(step.kernel, kernel as ExportedKernel);
  }
  return kernels;
}
