/** Words that stand for a checkpoint of a run in place of its name: `latest`, `exp/best`. */

export const choosingWords = ['best', 'latest'] as const
export type ChoosingWord = (typeof choosingWords)[number]

export function isChoosingWord(word: string | undefined): word is ChoosingWord {
  return choosingWords.some((one) => one === word)
}
