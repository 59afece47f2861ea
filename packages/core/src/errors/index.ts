export { type BadField, badRequest, readBadRequest } from './bad-request.ts'
export { type Code, codeFromNumber, codes, codeToNumber } from './codes.ts'
export {
  type ErrorDetail,
  type ErrorOrigin,
  MicroError,
  type MicroErrorOptions,
  type Processed,
} from './micro-error.ts'
