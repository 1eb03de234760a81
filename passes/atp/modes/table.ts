import { cluster } from './cluster.ts';
import { dense } from './dense.ts';
import { expand } from './expand.ts';
import type { AttentionMode } from './mode.ts';
import { segment } from './segment.ts';
import { shared } from './shared.ts';
import { svd } from './svd.ts';
import { topr } from './topr.ts';

/** Every way of building principal keys; a new mode is a file beside this one and a row here. */
export const modes = { dense, expand, topr, cluster, shared, segment, svd } as const satisfies Readonly<
  Record<string, AttentionMode>
>;
export type ModeName = keyof typeof modes;
export const modeNames = Object.keys(modes) as readonly ModeName[];
export function isModeName(name: string): name is ModeName {
  return name in modes;
}
