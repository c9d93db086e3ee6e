/** A program that takes a password after a short flag, glued to it or as the next word. */
interface Program {
  readonly names: readonly string[];
  readonly flag: string;
  /** The next word may be the password too; with others, such as mysql, it is something else. */
  readonly apart?: true;
  /** The word is `user:password` or `user%password`. */
  readonly after?: ":" | "%";
}

const words = (text: string) => text.split(" ");

/** The programs that the platform's images hold or an operator would reach for. A new one is a row here. */
const PROGRAMS: readonly Program[] = [
  {
    names: words("mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mariadb mariadb-dump mariadb-admin"),
    flag: "p",
  },
  {
    names: words("mongo mongosh mongodump mongorestore mongoexport mongoimport sshpass rabbitmqadmin"),
    flag: "p",
    apart: true,
  },
  { names: words("7z 7za 7zr"), flag: "p" },
  { names: words("redis-cli redis-benchmark valkey-cli keydb-cli"), flag: "a", apart: true },
  { names: words("curl http https nats"), flag: "u", apart: true, after: ":" },
  { names: words("curl"), flag: "U", apart: true, after: ":" },
  { names: words("ldapsearch ldapmodify ldapadd ldapdelete ldappasswd ldapwhoami"), flag: "w", apart: true },
  { names: words("mosquitto_pub mosquitto_sub mosquitto_rr zip unzip sqlcmd bcp"), flag: "P", apart: true },
  { names: words("smbclient rpcclient"), flag: "U", apart: true, after: "%" },
  { names: words("docker podman helm skopeo"), flag: "p", apart: true },
];

/** The first word of an argument that a shell would see as one: quoted or not, and no option. */
const VALUE = `(?:"((?:[^"\\\\\\n]|\\\\.)+)"|'([^'\\n]+)'|([^\\s"';|&<>]+))`;

const formOf = ({ names, flag, apart, after }: Program): RegExp => {
  const between = apart === true ? "[ \\t]*" : "";
  const login = after === undefined ? "" : `[^\\s${after}"'/]*${after}`;
  const value = after === undefined ? VALUE : `["']?${login}(?!\\s|$)([^\\s"';|&<>]+)`;
  return new RegExp(`(?<![\\w.-])(?:${names.join("|")})(?:\\s[^|;&\\n]*?)?\\s["']?-${flag}${between}${value}`, "g");
};

const FORMS = PROGRAMS.map((program) => ({ program, form: formOf(program) }));
/** Where such a flag of Docker's is another one: `docker run -p 80:80`. */
const NO_LOGIN = /^(?:docker|podman|helm|skopeo)\b(?![^|;&\n]*\blogin\b)/;

/** A password that stands after a program's short flag. */
export interface FlagPassword {
  readonly name: string;
  readonly value: string;
}

/** The passwords that a command line gives to programs by short flags: `mysql -pVALUE`, `redis-cli -aVALUE`, `curl -uUSER:VALUE`. */
export function flagPasswords(text: string): readonly FlagPassword[] {
  return FORMS.flatMap(({ program, form }) =>
    [...text.matchAll(form)].flatMap((match) => {
      const value = match.slice(1).find((part) => part !== undefined) ?? "";
      const other = NO_LOGIN.test(match[0]) || value.startsWith("-");
      return other ? [] : [{ name: `-${program.flag} password`, value }];
    }),
  );
}

/** Whether an argument could be a short flag with its value glued to it. */
export const isGlued = (argument: string): boolean => /^-[A-Za-z][^\s-]/.test(argument);

/** The program that a command line runs, where it is one that takes a password by a flag; `sh -c` and `env` run others. */
export function takesPassword(argument: string): string | undefined {
  const name = argument.split("/").at(-1) ?? "";
  return PROGRAMS.some(({ names }) => names.includes(name)) ? name : undefined;
}
