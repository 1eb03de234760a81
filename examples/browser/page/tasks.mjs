/** What the page can do with a text: a task runs on one model and says what it found; `compare` says how far two of them agree. */
import { element, formatShare } from './figures.mjs';

/** Pieces of at most `most` words, cut between sentences where there are any. */
function passagesOf(text, most) {
  const passages = [];
  const words = [];
  for (const sentence of text.split(/(?<=[.!?])\s+|\n{2,}/)) {
    const own = sentence.split(/\s+/).filter(Boolean);
    if (words.length > 0 && words.length + own.length > most) passages.push(words.splice(0).join(' '));
    for (const word of own) {
      words.push(word);
      if (words.length === most) passages.push(words.splice(0).join(' '));
    }
  }
  if (words.length > 0) passages.push(words.join(' '));
  return passages;
}
const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const firstWords = (text, count) => text.split(/\s+/).slice(0, count).join(' ');
/** The fastest of three: what else the machine does only ever adds to it. */
async function fastest(work) {
  let best = Infinity;
  for (let round = 0; round < 3; round += 1) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const reviews = {
  title: 'Classify',
  question: null,
  lengths: [32, 64, 128, 256, 512],
  async run(model, { text, signal, report }) {
    const passages = passagesOf(text, 300);
    const scores = [];
    let tokens = 0;
    const start = performance.now();
    for (const passage of passages) {
      tokens += model.tokenize(passage).ids.length;
      scores.push((await model.classify(passage, { signal })).scores.POSITIVE);
      report({ tokens, milliseconds: performance.now() - start, answer: verdict(scores) });
    }
    return { tokens, longest: Math.min(512, tokens), milliseconds: performance.now() - start, answer: verdict(scores), scores };
  },
  memory: (model) => model.info().memory.peakBytes,
  memoryName: 'Memory',
  compare(a, b) {
    const same = a.scores.filter((score, index) => score > 0.5 === b.scores[index] > 0.5).length;
    const moved = Math.max(...a.scores.map((score, index) => Math.abs(score - b.scores[index])));
    return {
      share: same / a.scores.length,
      words: `${same} of ${a.scores.length} passages get the same label; a score moved by at most ${moved.toFixed(3)}`,
    };
  },
  async time(model, text, tokens, signal) {
    const ids = repeated(model.tokenize(text).ids, tokens);
    return fastest(() => model.run({ input_ids: [ids] }, { signal }));
  },
};
function verdict(scores) {
  const score = mean(scores);
  return `${score > 0.5 ? 'POSITIVE' : 'NEGATIVE'} (${formatShare(score)} positive, ${scores.length} passages)`;
}
function repeated(ids, tokens) {
  return Array.from({ length: tokens }, (_, index) => ids[index % ids.length]);
}

const search = {
  title: 'Search',
  question: 'Look for',
  lengths: [32, 64, 128, 256, 512],
  async run(model, { text, question, signal, report }) {
    const passages = passagesOf(text, 160);
    const start = performance.now();
    const asked = await model.embed(question, { signal });
    const embeddings = [];
    let tokens = 0;
    for (const passage of passages) {
      tokens += model.tokenize(passage).ids.length;
      embeddings.push(await model.embed(passage, { signal }));
      report({ tokens, milliseconds: performance.now() - start, answer: ranking(asked, embeddings, passages) });
    }
    const order = rank(asked, embeddings);
    const answer = ranking(asked, embeddings, passages);
    return { tokens, longest: Math.min(512, tokens), milliseconds: performance.now() - start, answer, order, embeddings };
  },
  memory: (model) => model.info().memory.peakBytes,
  memoryName: 'Memory',
  compare(a, b) {
    const best = Math.min(5, a.order.length);
    const common = a.order.slice(0, best).filter((index) => b.order.slice(0, best).includes(index)).length;
    const cosine = mean(a.embeddings.map((embedding, index) => dot(embedding, b.embeddings[index])));
    return {
      share: common / best,
      words: `${common} of the best ${best} passages are the same; embeddings have a mean cosine of ${cosine.toFixed(4)}`,
    };
  },
  time: reviews.time,
};
function rank(asked, embeddings) {
  return embeddings.map((_, index) => index).sort((a, b) => dot(asked, embeddings[b]) - dot(asked, embeddings[a]));
}
function ranking(asked, embeddings, passages) {
  const lines = rank(asked, embeddings)
    .slice(0, 5)
    .map((index) => element('li', `${dot(asked, embeddings[index]).toFixed(3)} ${firstWords(passages[index], 16)} ...`));
  return element('ol', '', ...lines);
}

const chat = {
  title: 'Chat',
  question: 'Question about the text',
  lengths: [64, 128, 256, 512, 1024],
  async run(model, { text, question, signal, report }) {
    const session = model.session();
    try {
      const start = performance.now();
      const content = text.trim() === '' ? question : `${text.trim()}\n\n${question}`;
      const answer = session.chat([{ role: 'user', content }], { maxTokens: 60, signal });
      let written = '';
      for await (const piece of answer) {
        written += piece.text;
        report({
          tokens: session.ids.length,
          milliseconds: performance.now() - start,
          answer: written,
          memory: session.stateBytes,
        });
      }
      const { ids, promptTokens, prefillMilliseconds, decodeMilliseconds } = await answer.result;
      const rates = `${promptTokens} tokens read in ${(prefillMilliseconds / 1000).toFixed(2)} s, ${((1000 * ids.length) / decodeMilliseconds).toFixed(1)} written a second`;
      const tokens = promptTokens + ids.length;
      return {
        tokens,
        longest: tokens,
        milliseconds: performance.now() - start,
        answer: written,
        ids,
        rates,
        memory: session.stateBytes,
      };
    } finally {
      session.dispose();
    }
  },
  memory: (_model, found) => found.memory,
  memoryName: 'State of the session',
  compare(a, b) {
    const length = Math.max(a.ids.length, b.ids.length, 1);
    const first = a.ids.findIndex((id, index) => b.ids[index] !== id);
    const same = first < 0 ? Math.min(a.ids.length, b.ids.length) : first;
    return {
      share: same / length,
      words: `the first ${same} of ${length} tokens are the same. Dense: ${a.rates}. Principal keys: ${b.rates}`,
    };
  },
  async time(model, text, tokens, signal) {
    const session = model.session();
    try {
      const answer = session.generate(repeated(model.tokenize(text).ids, tokens), { maxTokens: 1, signal });
      return (await answer.result).prefillMilliseconds;
    } finally {
      session.dispose();
    }
  },
};

export const tasks = { reviews, search, chat };
