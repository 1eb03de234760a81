import { formatBytes, formatShare, formatTime, showFigures, showPlot, sides } from './figures.mjs';
import { keysKept, ModelPair } from './models.mjs';
import { tasks } from './tasks.mjs';

const byId = (id) => document.getElementById(id);
const [text, question, run, stop, measure, progress, status, figures, plot, backend] = [
  'text',
  'question',
  'run',
  'stop',
  'measure',
  'progress',
  'status',
  'figures',
  'plot',
  'backend',
].map(byId);

const pair = new ModelPair();
let current = 'reviews';
/** Of what runs now. */
let controller;

const { available, samples } = await (await fetch('page.json')).json();

// Backends: what works here is asked of the packages, and said in their words.
for (const [value, label] of [
  ['auto', 'the faster one'],
  ['wasm', 'WebAssembly'],
  ['webgpu', 'WebGPU'],
])
  backend.append(new Option(label, value));
backend.value = new URLSearchParams(location.search).get('backend') ?? 'auto';

for (const [label, content] of Object.entries(samples)) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = label;
  button.addEventListener('click', () => {
    text.value = content;
    count();
  });
  byId('samples').append(button);
}
text.value = Object.values(samples)[0];

// Tabs after the pattern of the ARIA Authoring Practices Guide: arrows move, and what is reached is selected.
const tabs = available.map((name) => {
  const tab = document.createElement('button');
  tab.role = 'tab';
  tab.id = `tab-${name}`;
  tab.textContent = tasks[name].title;
  tab.setAttribute('aria-controls', 'panel');
  tab.addEventListener('click', () => select(name));
  tab.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = (available.indexOf(name) + step + available.length) % available.length;
    select(available[next]);
    tabs[next].focus();
  });
  return tab;
});
byId('tabs').append(...tabs);

function select(name) {
  controller?.abort();
  current = name;
  for (const [index, tab] of tabs.entries()) {
    const selected = available[index] === name;
    tab.setAttribute('aria-selected', String(selected));
    tab.tabIndex = selected ? 0 : -1;
  }
  byId('panel').setAttribute('aria-labelledby', `tab-${name}`);
  const asks = tasks[name].question;
  byId('question-row').hidden = asks === null;
  byId('question-label').textContent = asks ?? '';
  question.value = name === 'chat' ? 'What is this text about?' : 'a film that is too long';
  for (const side of sides) byId(side).querySelector('.answer').replaceChildren();
  figures.replaceChildren();
  showPlot(plot, '', []);
  say('');
}
function say(sentence) {
  status.textContent = sentence;
}
function count() {
  byId('counted').textContent = `${text.value.split(/\s+/).filter(Boolean).length} words`;
}
text.addEventListener('input', count);
count();

/** Runs `work` with both models, one thing at a time; what it throws is said. */
async function withModels(work) {
  controller?.abort();
  const own = (controller = new AbortController());
  const { signal } = own;
  for (const button of [run, measure]) button.disabled = true;
  stop.disabled = false;
  progress.hidden = false;
  try {
    const models = await pair.load(current, backend.value, showProgress, signal);
    progress.value = 1;
    const { backend: name, why, threads } = models.dense.info();
    byId('machine').textContent = `${name}: ${why}${name === 'wasm' ? `; ${threads.used} threads: ${threads.why}` : ''}`;
    await work(models, signal);
    say('Done.');
  } catch (error) {
    say(signal.aborted ? 'Stopped.' : `${error.message}${error.hint ? ` ${error.hint}` : ''}`);
  } finally {
    if (controller === own) {
      for (const button of [run, measure]) button.disabled = false;
      stop.disabled = true;
      progress.hidden = true;
    }
  }
}
function showProgress(share, what) {
  progress.value = share;
  say(`Loading ${what} ...`);
}
stop.addEventListener('click', () => controller?.abort(new DOMException('The page was told to stop.', 'AbortError')));

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void withModels(compareBoth);
});
async function compareBoth(models, signal) {
  const task = tasks[current];
  const found = {};
  const update = () => showFigures(figures, rowsOf(task, models, found));
  for (const side of sides) {
    say(`${side === 'dense' ? 'Dense' : 'Principal keys'} ...`);
    const answer = byId(side).querySelector('.answer');
    answer.replaceChildren();
    const report = (partial) => {
      found[side] = { ...found[side], ...partial };
      answer.replaceChildren(partial.answer);
      update();
    };
    const options = { text: text.value, question: question.value, signal, report };
    // Buffers of this length are made, and what is compiled late is compiled, before time is taken.
    if (task !== tasks.chat) await task.run(models[side], { ...options, report: () => {} });
    found[side] = await task.run(models[side], options);
    answer.replaceChildren(found[side].answer);
    update();
  }
}
function rowsOf(task, models, found) {
  const of = (value) => Object.fromEntries(sides.map((side) => [side, found[side] && value(side, found[side])]));
  const rows = [
    { name: 'Time', format: formatTime, ...of((_, { milliseconds }) => milliseconds) },
    { name: 'Keys kept', format: formatShare, ...of((side, { longest, tokens }) => keysKept(models[side], longest ?? tokens)) },
    { name: task.memoryName, format: formatBytes, ...of((side, result) => task.memory(models[side], result)) },
  ];
  if (!found.principal?.longest) return rows;
  const { share, words } = task.compare(found.dense, found.principal);
  return [...rows, { name: 'Agreement', text: `${formatShare(share)}: ${words}` }];
}

measure.addEventListener('click', () => void withModels(timeOverLength));
async function timeOverLength(models, signal) {
  const task = tasks[current];
  const points = [];
  const caption = `Time over length, ${models.dense.info().backend}`;
  for (const tokens of task.lengths) {
    const point = { tokens };
    points.push(point);
    for (const side of sides) {
      say(`${tokens} tokens, ${side === 'dense' ? 'dense' : 'principal keys'} ...`);
      point[side] = await task.time(models[side], text.value, tokens, signal);
      showPlot(plot, caption, points);
    }
  }
}

select(available[0]);
document.documentElement.dataset.ready = 'true';
