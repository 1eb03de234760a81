/** Draws the report that lies in the page: totals, a bar a layer, the plan of heads, the graph of kernels, and one kernel in full. */
const report = JSON.parse(document.getElementById('report').textContent);
const { steps, nodes, sources, sections, attention, total, target, measured } = report;

const metrics = [
  ...(measured ? [{ key: 'measured', name: 'Measured time', of: (step) => step.measured?.median ?? 0, show: milliseconds }] : []),
  { key: 'predicted', name: 'Predicted time', of: (step) => step.predictedMilliseconds, show: milliseconds },
  { key: 'flops', name: 'FLOPs', of: (step) => step.flops, show: flops },
  { key: 'bytes', name: 'Bytes', of: (step) => step.bytes, show: bytes },
];
const kindNames = {
  gemm: 'matrix product',
  attention: 'attention',
  cluster: 'clusters of keys',
  segment_means: 'means of segments',
  principal_rows: 'principal rows',
  norm: 'norm',
  map: 'loop',
  copy: 'copy',
};
let metric = metrics[0];
let selected = [...steps].sort((a, b) => metric.of(b) - metric.of(a))[0]?.step ?? 0;

function scaled(value, units) {
  let power = 0;
  while (value >= 1000 ** (power + 1) && power < units.length - 1) power += 1;
  const part = value / 1000 ** power;
  return `${power === 0 || part >= 100 ? Math.round(part) : part.toPrecision(3)} ${units[power]}`;
}
function milliseconds(value) {
  if (value > 0 && value < 0.1) return `${value * 1000 < 0.1 ? 'under 0.1' : (value * 1000).toFixed(1)} \u00b5s`;
  return `${value < 10 ? value.toFixed(2) : value < 1000 ? value.toFixed(1) : Math.round(value)} ms`;
}
function flops(value) {
  return scaled(value, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP']);
}
function bytes(value) {
  return scaled(value, ['B', 'KB', 'MB', 'GB']);
}
const percent = (share) => (share > 0 && share < 0.001 ? 'under 0.1 %' : `${Number((share * 100).toPrecision(3))} %`);

/** An element with properties, attributes (`data-`, `aria-`, `role`, `style`) and children. Text is never parsed as HTML. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'kind') made.style.setProperty('--kind', `var(--${value})`);
    else if (key in made && key !== 'style') made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
const svg = (name, attributes = {}, ...children) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const sum = (list, of) => list.reduce((value, item) => value + of(item), 0);

// Head and overview

function figures() {
  const figure = (name, value) => element('div', {}, element('dt', {}, name), element('dd', {}, value));
  return element(
    'dl',
    { className: 'figures' },
    figure('kernel calls', String(steps.filter((step) => step.runs).length)),
    figure('nodes of the model in them', String(new Set(steps.flatMap((step) => step.nodes)).size)),
    figure('work', flops(total.flops)),
    figure('moved', bytes(total.bytes)),
    figure('predicted, one core', milliseconds(total.predictedMilliseconds)),
    measured ? figure('measured in kernels', milliseconds(total.measuredMilliseconds)) : null,
    measured ? figure('measured, whole run', milliseconds(measured.run.median)) : null,
    measured && total.measuredMilliseconds > 0
      ? figure('reached in kernels', `${(total.flops / total.measuredMilliseconds / 1e6).toFixed(1)} GFLOP/s`)
      : null,
  );
}

function layerBars() {
  const totals = sections.map((section) => sum(section.steps, (index) => metric.of(steps[index])));
  const largest = Math.max(...totals, 1e-12);
  const rows = sections.map((section, index) => {
    const parts = section.steps.map((step) => {
      const share = (100 * metric.of(steps[step])) / largest;
      return share === 0
        ? null
        : element('i', {
            kind: steps[step].kind,
            style: `width:${share}%`,
            title: `${steps[step].title}: ${metric.show(metric.of(steps[step]))}`,
          });
    });
    const row = element(
      'button',
      { className: 'row', type: 'button', onclick: () => select(heaviest(section.steps), true) },
      element('span', {}, section.title),
      element('span', { className: 'stack' }, ...parts),
      element('span', { className: 'number' }, metric.show(totals[index])),
    );
    parts.forEach((part, position) => part?.style.setProperty('--kind', `var(--${steps[section.steps[position]].kind})`));
    return row;
  });
  const kinds = Object.keys(kindNames).filter((kind) => steps.some((step) => step.kind === kind));
  const legend = kinds.map((kind) => {
    const own = sum(steps, (step) => (step.kind === kind ? metric.of(step) : 0));
    const whole = sum(steps, metric.of);
    return element('li', {}, element('i', { kind }), `${kindNames[kind]} ${percent(whole === 0 ? 0 : own / whole)}`);
  });
  return [element('h2', {}, `${metric.name}, layer by layer`), ...rows, element('ul', { className: 'legend' }, ...legend)];
}
const heaviest = (list) => [...list].sort((a, b) => metric.of(steps[b]) - metric.of(steps[a]))[0] ?? 0;

const modeKinds = {
  dense: 'gemm',
  expand: 'attention',
  topr: 'norm',
  cluster: 'cluster',
  shared: 'copy',
  segment: 'segment_means',
  svd: 'principal_rows',
};
/** What the plan loses against dense attention, where --max-loss had it measured. */
function measuredLoss() {
  if (!attention.loss) return [];
  const { name, unit, bound, mean, low, high, documents, tokens, textHash, repeats } = attention.loss;
  const number = (value) => String(Number(value.toPrecision(3)));
  const facts = [
    [name, `${number(mean)} ${unit}`],
    ['95 % interval', `${number(low)} to ${number(high)}`],
    ['bound (--max-loss)', String(bound)],
    ['measured on', `${documents} documents of ${tokens} tokens`],
    ...(repeats === undefined ? [] : [['repeated from far back', `${number(repeats)} ${unit}`]]),
    ['SHA-256 of the text', element('code', {}, textHash)],
  ];
  return [
    element('h3', {}, 'Loss against dense attention'),
    element(
      'dl',
      { className: 'facts loss' },
      ...facts.flatMap(([fact, value]) => [element('dt', {}, fact), element('dd', {}, value)]),
    ),
  ];
}
/** A square for each key/value head: its colour is the mode, its filled part the share of keys that a query reads. */
function headPlan() {
  if (attention.layers.length === 0) return null;
  const side = 14;
  const rows = attention.layers.flatMap(({ layer, heads }) => {
    const squares = heads.flatMap((group) => group.kvHeads.map((head) => ({ head, group }))).sort((a, b) => a.head - b.head);
    const drawing = svg('svg', {
      width: squares.length * (side + 3),
      height: side,
      role: 'img',
      'aria-label': `heads of layer ${layer}`,
    });
    squares.forEach(({ head, group }, index) => {
      const colour = `var(--${modeKinds[group.mode] ?? 'map'})`;
      const x = index * (side + 3) + 0.5;
      const height = Math.max(1, (side - 1) * group.keys);
      drawing.append(
        svg(
          'g',
          {},
          svg('title', {}, `head ${head}: ${group.mode}, ${percent(group.keys)} of the keys`),
          svg('rect', {
            x,
            y: 0.5,
            width: side - 1,
            height: side - 1,
            rx: 3,
            fill: colour,
            'fill-opacity': 0.16,
            stroke: colour,
          }),
          svg('rect', { x, y: side - 0.5 - height, width: side - 1, height, rx: 2, fill: colour }),
        ),
      );
    });
    const words = heads.map(({ mode, keys, measuredKeys }) => {
      const read = measuredKeys === null ? '' : `, read ${percent(measuredKeys.mean)}`;
      return mode === 'dense' ? mode : `${mode} ${percent(keys)}${read}`;
    });
    return [element('span', {}, `Layer ${layer}`), drawing, element('span', { className: 'soft' }, words.join('; '))];
  });
  const note = 'A square a key/value head; filled as far as a query reads keys.';
  return element(
    'div',
    { className: 'card' },
    element('h2', {}, 'Attention plan'),
    element('div', { className: 'heads' }, ...rows),
    element('p', { className: 'soft', style: 'margin:10px 0 0;max-width:44ch' }, note),
    ...measuredLoss(),
  );
}

function metricChoice() {
  const choices = metrics.map((choice) => {
    const input = element('input', { type: 'radio', name: 'metric', value: choice.key, checked: choice === metric });
    input.addEventListener('change', () => {
      metric = choice;
      drawOverview();
      for (const [step, box] of boxes) box.querySelector('.measure').replaceWith(measureOf(steps[step]));
    });
    return element('label', {}, input, element('span', {}, choice.name));
  });
  return element('fieldset', { 'aria-label': 'What bars show' }, ...choices);
}

// The graph

const boxes = new Map();
function measureOf(step) {
  const largest = Math.max(...steps.map(metric.of), 1e-12);
  const whole = sum(steps, metric.of);
  const value = metric.of(step);
  return element(
    'div',
    { className: 'measure' },
    element('div', { className: 'track' }, element('i', { kind: step.kind, style: `width:${(100 * value) / largest}%` })),
    element(
      'div',
      { className: 'value' },
      element('span', {}, step.runs ? metric.show(value) : 'not run'),
      element('span', { className: 'soft' }, step.runs && whole > 0 ? `${((100 * value) / whole).toFixed(1)} %` : ''),
    ),
  );
}

function stepBox(step) {
  const ops = step.nodes.map((index) => element('span', { className: 'chip mono' }, nodes[index].op));
  const box = element(
    'div',
    {
      className: `step${step.runs ? '' : ' idle'}`,
      kind: step.kind,
      id: `step-${step.step}`,
      role: 'option',
      'aria-selected': 'false',
      onclick: () => select(step.step, false),
    },
    element(
      'div',
      { style: 'min-width:0' },
      element('div', { className: 'title', title: step.label }, step.title, element('code', { className: 'soft' }, step.kernel)),
      element('div', { className: 'chips' }, ...(ops.length === 0 ? [element('span', { className: 'chip mono' }, 'copy')] : ops)),
    ),
    measureOf(step),
  );
  box.style.setProperty('--kind', `var(--${step.kind})`);
  boxes.set(step.step, box);
  return box;
}

function graph() {
  const drawn = sections.map((section) =>
    element(
      'section',
      { className: 'layer' },
      element(
        'header',
        {},
        element('h2', {}, section.title),
        element('span', { className: 'soft' }, `${flops(section.total.flops)}, ${bytes(section.total.bytes)} moved`),
      ),
      ...section.steps.flatMap((index) => {
        const step = steps[index];
        return [stepBox(step), element('div', { className: 'boundary', title: step.reason }, `ends here: ${step.boundary}`)];
      }),
    ),
  );
  const edges = svg('svg', { class: 'edges', 'aria-hidden': 'true' });
  const list = element(
    'div',
    { className: 'graph', tabIndex: 0, role: 'listbox', 'aria-label': 'Kernels in the order in which they run' },
    edges,
    ...drawn,
  );
  list.addEventListener('keydown', onKey);
  return list;
}

const order = sections.flatMap((section) => section.steps);
function onKey(event) {
  const at = order.indexOf(selected);
  const sectionAt = sections.findIndex((section) => section.steps.includes(selected));
  const targets = {
    ArrowDown: order[at + 1],
    ArrowUp: order[at - 1],
    Home: order[0],
    End: order.at(-1),
    PageDown: sections[sectionAt + 1]?.steps[0],
    PageUp: sections[sectionAt - 1]?.steps[0],
    ArrowLeft: steps[selected].from.at(-1),
    ArrowRight: steps[selected].to[0],
  };
  if (!(event.key in targets)) return;
  event.preventDefault();
  if (targets[event.key] !== undefined) select(targets[event.key], true);
}

// Values that travel further than this are drawn only for the selected kernel: lines through everything show nothing.
const longestArc = 7;
function drawEdges() {
  const list = document.querySelector('.graph');
  const edges = list.querySelector('.edges');
  const top = list.getBoundingClientRect().top;
  const place = new Map([...boxes].map(([step, box]) => [step, box.getBoundingClientRect()]));
  edges.setAttribute('width', '92');
  edges.setAttribute('height', String(list.scrollHeight));
  const paths = steps.flatMap((step) =>
    step.from.flatMap((source) => {
      const distance = Math.abs(order.indexOf(step.step) - order.indexOf(source));
      const kind = step.step === selected ? 'reads' : source === selected ? 'feeds' : '';
      if (kind === '' && distance > longestArc) return [];
      const [from, to] = [place.get(source), place.get(step.step)];
      const [y1, y2] = [from.bottom - top - 14, to.top - top + 14];
      // Neighbours lie close to the boxes, far ones further out.
      const x = 88 - Math.min(84, 10 + 9 * Math.min(distance, 9));
      return [{ kind, path: svg('path', { class: kind, d: `M 92 ${y1} C ${x} ${y1}, ${x} ${y2}, 92 ${y2}` }) }];
    }),
  );
  paths.sort((a, b) => (a.kind === '' ? 0 : 1) - (b.kind === '' ? 0 : 1));
  edges.replaceChildren(...paths.map(({ path }) => path));
}

// One kernel

function detail(step) {
  const own = step.nodes.map((index) => nodes[index]);
  const fact = (name, value) => (value === null ? [] : [element('dt', {}, name), element('dd', {}, value)]);
  const time = step.measured;
  const spread = time && `${milliseconds(time.median)} (${milliseconds(time.min)} to ${milliseconds(time.max)})`;
  const rate = time && time.median > 0 && step.flops > 0 ? `${(step.flops / time.median / 1e6).toFixed(1)} GFLOP/s` : null;
  const links = (indices) =>
    element(
      'div',
      { className: 'links' },
      ...indices.map((index) =>
        element('button', { type: 'button', onclick: () => select(index, true) }, `${index}  ${steps[index].label}`),
      ),
    );
  const part = (title, ...content) => (content.length === 0 ? [] : [element('h3', {}, title), ...content]);
  const reads = [
    ...(step.inputs.length > 0 ? [element('p', {}, `inputs of the model: ${step.inputs.join(', ')}`)] : []),
    ...(step.from.length > 0 ? [links(step.from)] : []),
    ...(step.weights.length > 0
      ? [element('p', { className: 'mono' }, ...step.weights.flatMap((name) => [name, element('br')]))]
      : []),
  ];
  const writes = [
    ...(step.outputs.length > 0 ? [element('p', {}, `outputs of the model: ${step.outputs.join(', ')}`)] : []),
    ...(step.to.length > 0 ? [links(step.to)] : []),
  ];
  const views = step.views.map((index) => nodes[index].op);
  return [
    element('span', { className: 'tag', kind: step.kind }, kindNames[step.kind]),
    element('span', { className: 'soft' }, `  ${step.step} of ${steps.length}, kernel `),
    element('code', {}, step.kernel),
    element('h2', { style: 'margin-top:8px' }, step.label),
    step.runs ? null : element('p', {}, 'Inputs of this length do not need it: it is not run.'),
    element(
      'dl',
      { className: 'facts' },
      ...fact('result', element('code', {}, step.result || 'as its input')),
      ...fact(
        'work',
        step.gatheredFlops > 0 ? `${flops(step.flops)}, ${flops(step.gatheredFlops)} of it on scattered keys` : flops(step.flops),
      ),
      ...fact('bytes', bytes(step.bytes)),
      ...fact('FLOP a byte', step.bytes > 0 ? (step.flops / step.bytes).toPrecision(3) : null),
      ...fact('predicted', milliseconds(step.predictedMilliseconds)),
      ...fact('measured', spread),
      ...fact('reached', rate),
    ),
    ...part('Why nothing more is fused into it', element('p', {}, step.reason)),
    ...part('From these lines', ...sourceOf(own)),
    ...part('Nodes', nodeTable(own)),
    ...(views.length > 0 ? part('Looked at through', element('p', { className: 'mono' }, views.join(', '))) : []),
    ...part('Reads', ...reads),
    ...part('Read by', ...writes),
  ];
}

function sourceOf(own) {
  const byFile = new Map();
  for (const { at } of own) if (at) byFile.set(at[0], (byFile.get(at[0]) ?? new Map()).set(`${at[1]}:${at[2]}`, at));
  return [...byFile].flatMap(([file, places]) => {
    const { file: name, lines } = sources[file];
    const numbers = [...new Set([...places.values()].map(([, line]) => line))].sort((a, b) => a - b);
    const shown = numbers.map((line) => {
      const text = lines[line] ?? '';
      const indent = Math.min(...numbers.map((each) => (lines[each] ?? '').search(/\S|$/)));
      const columns = [...places.values()].filter((at) => at[1] === line).map((at) => at[2] - 1);
      return element('span', { className: 'line' }, element('b', {}, String(line)), ...marked(text, indent, columns));
    });
    return [element('p', { className: 'soft mono' }, name), element('pre', {}, ...shown)];
  });
}
/** The text from `indent` on, with the name that begins at each of the columns marked. */
function marked(text, indent, columns) {
  const parts = [];
  let at = indent;
  for (const column of [...new Set(columns)].sort((a, b) => a - b)) {
    const name = /^[\w.$]+/.exec(text.slice(column))?.[0] ?? '';
    if (column < at || name === '') continue;
    parts.push(text.slice(at, column), element('mark', {}, name));
    at = column + name.length;
  }
  return [...parts, text.slice(at)];
}

function nodeTable(own) {
  if (own.length === 0) return element('p', {}, 'None: it copies a value.');
  const rows = own.map(({ op, name, type, scope, passes }) =>
    element(
      'tr',
      {},
      element('td', { className: 'mono' }, op),
      element(
        'td',
        { className: 'mono' },
        type,
        scope === undefined ? null : element('div', { className: 'soft' }, `in ${scope}`),
      ),
      element('td', {}, name ?? '', passes === undefined ? null : element('div', { className: 'soft' }, passes.join(', '))),
    ),
  );
  const head = ['op', 'type', 'variable'].map((title) => element('th', { scope: 'col' }, title));
  return element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows));
}

function select(index, scroll) {
  selected = index;
  const step = steps[index];
  for (const [own, box] of boxes) {
    box.classList.toggle('selected', own === index);
    box.classList.toggle('reads', step.from.includes(own));
    box.classList.toggle('feeds', step.to.includes(own));
    box.setAttribute('aria-selected', String(own === index));
  }
  document.querySelector('.graph').setAttribute('aria-activedescendant', `step-${index}`);
  const panel = document.querySelector('.detail');
  panel.replaceChildren(...detail(step).filter((child) => child !== null));
  panel.scrollTop = 0;
  if (scroll) boxes.get(index).scrollIntoView({ block: 'center' });
  drawEdges();
}

function drawOverview() {
  document.querySelector('.bars').replaceChildren(...layerBars());
}

function draw() {
  const dims = Object.entries(report.dims).map(([name, value]) => `${name} ${value}`);
  const rate = `${(target.flopsPerSecond / 1e9).toFixed(0)} GFLOP/s a core, ${(target.gatheredFlopsPerSecond / 1e9).toFixed(0)} on scattered keys`;
  const how = measured
    ? ` Measured times are medians of ${measured.how}.`
    : ' Nothing was measured: atpc explain --profile measures.';
  const approximate =
    report.approximations.length === 0 ? 'Nothing in it is approximate.' : `Approximate: ${report.approximations.join('; ')}.`;
  document
    .getElementById('page')
    .replaceChildren(
      element('h1', {}, report.model),
      element(
        'p',
        { className: 'lead' },
        `What atpc compiled it to, on ${target.name}, at ${dims.join(', ')}. ${attention.reason} ${approximate}`,
      ),
      figures(),
      element('div', { className: 'overview' }, element('div', { className: 'card bars' }), headPlan() ?? ''),
      element(
        'div',
        { className: 'bar' },
        metricChoice(),
        element(
          'span',
          { className: 'soft' },
          element('kbd', {}, '\u2191'),
          ' ',
          element('kbd', {}, '\u2193'),
          ' kernels, ',
          element('kbd', {}, '\u2190'),
          ' what it reads, ',
          element('kbd', {}, '\u2192'),
          ' what reads it, ',
          element('kbd', {}, 'Page'),
          ' layers',
        ),
      ),
      element('div', { className: 'columns' }, graph(), element('aside', { className: 'card detail', 'aria-live': 'polite' })),
      element(
        'footer',
        {},
        `A box is one kernel, with the nodes of the model fused into it; below it stands why it ends there. Work and bytes follow from the program, every operand counted once. Predicted times are the planner's formula, ${rate}, without memory.${how}`,
      ),
    );
  drawOverview();
  select(selected, false);
  new ResizeObserver(drawEdges).observe(document.querySelector('.graph'));
}

draw();
