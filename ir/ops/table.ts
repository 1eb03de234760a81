/** All ops of the graph level, one row an op. A new op does not compile until it has its row here. */
import type { OpDefinition } from './definition.ts';
import type { OpName } from './attributes.ts';
import * as sources from './sources.ts';
import * as elementwise from './elementwise.ts';
import * as movement from './movement.ts';
import * as reduce from './reduce.ts';
import * as linear from './linear.ts';
import * as norm from './norm.ts';
import * as attention from './attention.ts';
import * as principal from './principal.ts';
import * as selectClusters from './select-clusters.ts';
import * as tuple from './tuple.ts';
import * as cachedAttention from './cached-attention.ts';

export const ops: { readonly [K in OpName]: OpDefinition<K> } = {
  ...sources,
  ...elementwise,
  ...movement,
  ...reduce,
  ...linear,
  ...norm,
  ...attention,
  ...principal,
  ...selectClusters,
  ...cachedAttention,
  ...tuple,
};
export const opNames: readonly OpName[] = Object.keys(ops) as OpName[];
