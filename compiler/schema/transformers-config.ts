/** What the config.json files of all architectures of transformers share: keys that change nothing, and no key unread. */
import { AtpcError } from '../../runtime/errors.ts';
import { didYouMean } from './did-you-mean.ts';

/**
 * Keys that do not change what inference computes: of training, of generation, of how transformers runs or stores the
 * model. An architecture that reads one of them lists it among its own.
 */
const keysWithoutEffect: readonly string[] = (
  '_attn_implementation _attn_implementation_autoset _attn_implementation_internal _commit_hash _name_or_path ' +
  'attention_probs_dropout_prob attn_implementation bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward ' +
  'classifier_dropout cls_token_id cross_attention_hidden_size decoder_start_token_id diversity_penalty ' +
  'do_sample dtype early_stopping encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task ' +
  'forced_bos_token_id forced_eos_token_id gradient_checkpointing hidden_dropout_prob initializer_factor initializer_range ' +
  'label2id length_penalty mask_token_id max_length min_length no_repeat_ngram_size num_beam_groups num_beams ' +
  'num_return_sequences output_attentions output_hidden_states output_past output_scores ' +
  'prefix remove_invalid_values ' +
  'repetition_penalty return_dict return_dict_in_generate sbert_ce_default_activation_function sentence_transformers ' +
  'sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings ' +
  'tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p unk_token_id use_bfloat16 use_cache'
).split(' ');

/** Throws ATPC-202 for a key that is neither in `known` nor without effect for every architecture. */
export function refuseUnknownKeys(file: string, config: object, known: readonly string[]): void {
  const all = new Set([...known, ...keysWithoutEffect]);
  const unknown = Object.keys(config).find((key) => !all.has(key));
  if (unknown === undefined) return;
  throw new AtpcError(
    'ATPC-202',
    `${file} has the key '${unknown}', which is not understood; the model might mean something else by it.`,
    didYouMean(unknown, all),
  );
}
