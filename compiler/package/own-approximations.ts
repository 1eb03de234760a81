import type { Manifest } from '../../runtime/format/manifest.ts';

/** What is approximate on one target of a package and not on all. */
export function ownApproximations({
  targets,
  approximations: all,
}: Pick<Manifest, 'approximations'> & {
  readonly targets: readonly Pick<Manifest['targets'][number], 'name' | 'approximations'>[];
}): readonly { readonly target: string; readonly sentence: string }[] {
  return targets.flatMap(({ name, approximations = all }) =>
    approximations.filter((sentence) => !all.includes(sentence)).map((sentence) => ({ target: name, sentence })),
  );
}
