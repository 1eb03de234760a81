import { AtpcError } from '../../errors.ts';
import type { TargetFeatures } from '../../format/manifest.ts';
import type { TargetKernels } from '../worker/protocol.ts';

export type NativeBuild = TargetKernels['native'][number];
type Feature = TargetFeatures['native'];

/** What is asked of the processor, each above those before it, where both are of one kind of it; other features name the system. */
const levels: readonly Feature[] = ['x86-64-v2', 'x86-64-v3', 'avx-vnni', 'x86-64-v4', 'avx512-vnni', 'arm-dotprod'];
const levelOf = ({ features }: NativeBuild): number => Math.max(-1, ...features.map((feature) => levels.indexOf(feature)));
/** The features of a build that are asked of the processor. */
export const askedOf = ({ features }: NativeBuild): readonly Feature[] => features.filter((name) => levels.includes(name));

/**
 * The builds for a system such as linux-x64, the lowest level first. Throws ATPC-501 where there is none.
 */
export function buildsFor(builds: readonly NativeBuild[], system: string): readonly [NativeBuild, ...NativeBuild[]] {
  const own = builds.filter(({ features }) => features.some((feature) => feature === system));
  const [lowest, ...others] = own.sort((a, b) => levelOf(a) - levelOf(b));
  if (lowest) return [lowest, ...others];
  const systems = builds.flatMap(({ features }) => features.filter((feature) => !levels.includes(feature)));
  throw new AtpcError('ATPC-501', `The package has libraries for ${[...new Set(systems)].join(', ')}; this is ${system}.`, {
    hint: `Compile the model on ${system}, or load with another backend.`,
  });
}

/** The build of the highest level that the processor has. Throws ATPC-501 where it has not even the lowest. */
export function chooseBuild(builds: readonly [NativeBuild, ...NativeBuild[]], has: (feature: string) => boolean): NativeBuild {
  const fitting = builds.filter((build) => askedOf(build).every(has));
  const best = fitting.at(-1);
  if (best) return best;
  const lacking = askedOf(builds[0]).filter((feature) => !has(feature));
  throw new AtpcError('ATPC-501', `This processor lacks ${lacking.join(' and ')}, which the libraries of the package need.`, {
    hint: 'Load with another backend.',
  });
}
