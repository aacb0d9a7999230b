/** SpeechBrain's Pretrainer: files collected from where they are, then loaded into several targets. */
export { collect, type CollectContext } from './collect.js'
export { parseVariable, type Variables } from './conditions.js'
export { load, type LoadContext, type Loaded, type LoadedAll } from './load.js'
export { parsePlan, type PlanOptions } from './parse.js'
export { linkStrategies, type LinkStrategy, type Load, type Loadable, type Plan } from './plan.js'
export { MadeRecord } from './record.js'
export { planShards } from './shards.js'
export { survey, type Action, type Failed, type Item, type Survey, type SurveyOptions } from './survey.js'
