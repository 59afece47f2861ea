export { type ConsoleLoggerOptions, consoleLogger } from './console-logger.ts'
export { type LogFields, type Logger, type LogLevel, logLevels } from './logger.ts'
export { type LogLine, type MemoryLogger, memoryLogger } from './memory-logger.ts'
