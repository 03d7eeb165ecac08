import type { ErrorCategory, ErrorCode, ErrorSeverity, PlayerErrorFields } from './types.js';

/** An error of the player, with the same fields on every platform. */
export class PlayerError extends Error implements PlayerErrorFields {
  override readonly name = 'PlayerError';
  readonly category: ErrorCategory;
  readonly code: ErrorCode;
  readonly severity: ErrorSeverity;
  readonly url: string | null;
  readonly httpStatus: number | null;

  /** @internal */
  constructor(fields: PlayerErrorFields) {
    super(fields.message);
    this.category = fields.category;
    this.code = fields.code;
    this.severity = fields.severity;
    this.url = fields.url;
    this.httpStatus = fields.httpStatus;
  }
}

/** The app asked for something that makes no sense. */
export function invalidArgument(message: string): PlayerError {
  return playerFault('INVALID_ARGUMENT', 'recoverable', message);
}

/** The player itself failed, or could not start. */
export function internal(message: string): PlayerError {
  return playerFault('INTERNAL', 'fatal', message);
}

function playerFault(code: ErrorCode, severity: ErrorSeverity, message: string): PlayerError {
  return new PlayerError({
    category: 'player',
    code,
    severity,
    message,
    url: null,
    httpStatus: null,
  });
}
