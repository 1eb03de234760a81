import { AtpcError } from '../../errors.ts';
import { dispatchSteps, type EntryPoint, type Program } from '../../format/program.ts';
import { mostArguments, type NativeLibrary } from './library.ts';

/** Positions of the kernels that the program's steps call; throws ATPC-403 for one that is missing or takes too many arguments. */
export function kernelsOf(program: Program, library: NativeLibrary): ReadonlyMap<string, number> {
  const kernels = new Map<string, number>();
  const entries = Object.values(program.entryPoints) as readonly EntryPoint[];
  for (const { kernel: name, operands, integers } of entries.flatMap(({ steps }) => dispatchSteps(steps))) {
    const index = kernels.get(name) ?? library.findKernel(name);
    if (index === undefined) {
      throw new AtpcError('ATPC-403', `The kernel '${name}' of program.json is not in the kernel file.`);
    }
    if (3 + operands.length + integers.length > mostArguments) {
      throw new AtpcError('ATPC-403', `program.json gives the kernel '${name}' more than ${mostArguments} arguments.`);
    }
    kernels.set(name, index);
  }
  return kernels;
}
