const ON = "(?:1|true|yes|on|y|t|enabled?)\\b";
const OFF = "(?:0|false|no|off|n|f|disabled?)\\b";
/** What stands between a name and its value, in an environment, in YAML and in JSON. */
const IS = `["']?\\s*[=:]\\s*["']?`;
const START = "(?<![A-Za-z0-9])";

/** Settings by which programs trade real money. */
const FORMS: readonly RegExp[] = [
  // LIVE=1, TRADING_LIVE=true, IS_LIVE=yes, LIVE_TRADING: on; Docker's live-restore has nothing to do with it.
  `${START}(?:[A-Z0-9]+[_.-])*(?:IS)?LIVE(?![_-]?RESTORE)(?:[_.-][A-Z0-9]+)*${IS}${ON}`,
  // PAPER=0, PAPER_TRADING=false, DRY_RUN=no, SANDBOX: off
  `${START}(?:[A-Z0-9]+[_.-])*(?:IS)?(?:PAPER|SANDBOX|TESTNET|DRY[_-]?RUN|SIMULAT(?:ED|ION|E))(?:[_.-][A-Z0-9]+)*${IS}${OFF}`,
  // TRADING_MODE=live, IB_ENV=real, mode: live
  `${START}(?:[A-Z0-9]+[_.-])*(?:TRADING|TRADE|IB|IBKR|IBC|TWS|BROKER|EXECUTION|ORDERS?|ACCOUNT|ALPACA)[_.-]?(?:MODE|ENV|ENVIRONMENT|TYPE)${IS}(?:live|real|prod|production)\\b`,
  `${START}MODE${IS}(?:live|real)\\b`,
  // --live, --mode live, --trading-mode=live, --no-paper
  `(?<=^|\\s)--(?:(?:[a-z]+-)*mode[= ](?:live|real)\\b|(?:live|real-money)\\b(?!=(?:0|false|no))|no-(?:paper|dry-run|sandbox)\\b)`,
  // IB's API of live accounts: the gateway's own port, the image's, and TWS's
  `(?<=^|[\\s:/=,"'])(?:4001|4003|7496)(?=$|[\\s:/,;"')}\\]])`,
].map((form) => new RegExp(form, "i"));

/** Whether a text switches live trading on. */
export function switchesLive(text: string): boolean {
  return FORMS.some((form) => form.test(text));
}
