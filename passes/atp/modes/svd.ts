import { tensorOf, type Node } from '../../../ir/graph.ts';
import { evaluateSize, maxSize, type Size } from '../../../ir/size.ts';
import type { Projection } from '../site.ts';
import { attend, countOf, pairFlops, projectionsOfOneInput, type AttentionMode } from './mode.ts';

/** At least two rows, as in the checkpoints that were tuned with it (their `atp.min_keys`). */
const rowCount = (share: Parameters<typeof countOf>[0]): Size => maxSize(2, countOf(share));

export const svd: AttentionMode = {
  name: 'svd',
  space: 'hidden states',
  causal: false,
  error: 'approximate',
  automatic: false,
  perHead: false,
  state: 'principal rows',
  source: 'Niu, Prakash, Avestimehr 2024, arXiv 2403.02352, as written',
  summary: 'literal ATP: rows of the singular value decomposition of the hidden states; only for checkpoints tuned with it',
  keysRead: (share, tokens) => evaluateSize(rowCount(share), { tokens }),
  flops(share, tokens, shape) {
    const rows = evaluateSize(rowCount(share), { tokens });
    const width = shape.kvHeads * shape.headSize;
    // Householder tridiagonalisation and implicit QL with vectors: about 9 n^3 (Golub and Van Loan, section 8.3).
    const order = Math.min(tokens, width);
    return { streamed: pairFlops(shape, tokens, rows) + 9 * order ** 3 + 2 * tokens * tokens * width, gathered: 0 };
  },
  build(site, share) {
    const { make, mask } = site;
    const projections = projectionsOfOneInput(site, 'svd');
    const principal = make('principal_rows', { count: rowCount(share) }, [projections.key.x, mask]);
    const [rows, columnSums, bias] = [0, 1, 2].map((index) => make('get', { index }, [principal])) as [Node, Node, Node];
    const [batch, count] = tensorOf(rows).shape as [Size, Size];
    // K' = X' W_K + (U^T 1) b_K^T: a bias enters with the column sums of the basis.
    const project = ({ weight, bias: offset, heads, headSize }: Projection): Node => {
      const product = make('matmul', { transposeRight: true }, [rows, weight]);
      const sums = make('reshape', { shape: [batch, count, 1] }, [columnSums]);
      const linear = offset ? make('add', {}, [product, make('multiply', {}, [sums, offset])]) : product;
      const split = make('reshape', { shape: [batch, count, heads, headSize] }, [linear]);
      return make('transpose', { permutation: [0, 2, 1, 3] }, [split]);
    };
    const perHead = make('reshape', { shape: [batch, 1, count] }, [bias]);
    const shared = make('broadcast', { shape: [batch, projections.key.heads, count] }, [perHead]);
    return attend(site, [{ keyOrScore: project(projections.key), value: project(projections.value), bias: shared, visible: [] }]);
  },
};
