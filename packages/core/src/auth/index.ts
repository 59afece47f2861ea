export { accountOf } from './account.ts'
export type {
  Account,
  Auth,
  AuthSupports,
  IssueOptions,
  Subject,
  Tokens,
  Verified,
} from './auth.ts'
export { authLimits, checkLives, checkSubject, checkToken, invalidToken } from './auth-rules.ts'
export { type AuthenticateOptions, authenticate } from './authenticate.ts'
export { type BearerOptions, bearer } from './bearer.ts'
export { type MemoryAuthOptions, memoryAuth } from './memory-auth.ts'
export { MemoryAuthBackend, type MemoryAuthLimits } from './memory-auth-backend.ts'
export {
  type AuthenticateMessagesOptions,
  authenticateMessages,
  bearerMessages,
} from './messages.ts'
export { readBearer } from './read-bearer.ts'
