// A PostgreSQL that does no work: it logs everybody in and answers at once.
//
//     null_backend PROCESSES ADDRESS...
//
// It knows SET, RESET, DISCARD, SHOW, current_setting, set_config, BEGIN and COMMIT, COPY, prepared
// statements, and results of any size: `select repeat('x', 1000) from generate_series(1, 5000)` has
// 5000 rows of 1000 bytes, and so has `copy (…) to stdout`. Any other SELECT gives one row, with 1
// in each number and f in each EXISTS. One thread in each process, epoll.
#include "sockets.h"

#include <ctype.h>
#include <strings.h>
#include <sys/epoll.h>

enum { INPUT = 256 * 1024, EVENTS = 256, BLOCK = 256 * 1024, COLUMNS = 64 };

struct Parameter {
    char *name, *value;
    struct Parameter *next;
};

struct Statement {
    char *name, *text;
    struct Statement *next;
};

// Rows of one width, as many as fit: what a large result is sent from.
struct Block {
    size_t rowSize, count;
    char tag;
    char *bytes;
    struct Block *next;
};

struct Connection {
    int fd;
    bool isListener, isLoggedIn, copiesIn, watchesOutput;
    char status;
    char *input;  // What has come and is not a whole message yet.
    size_t inputCount, inputSize;
    size_t skip;  // Bytes of CopyData that are still to come.
    char *output;
    size_t outputCount, outputSent, outputSize;
    const struct Block *block;  // A large result on its way.
    size_t rowsLeft, blockSent;
    char tail[64];  // What follows the rows.
    size_t tailCount;
    struct Parameter *parameters;
    struct Statement *statements;
    const char *bound;
};

static int poller;
static struct Block *blocks;
static char scratch[INPUT];

static const char *const reported[][2] = {
    {"server_version", "15.0"},
    {"server_encoding", "UTF8"},
    {"client_encoding", "UTF8"},
    {"application_name", ""},
    {"default_transaction_read_only", "off"},
    {"in_hot_standby", "off"},
    {"is_superuser", "off"},
    {"session_authorization", "app"},
    {"DateStyle", "ISO, MDY"},
    {"IntervalStyle", "postgres"},
    {"TimeZone", "UTC"},
    {"integer_datetimes", "on"},
    {"standard_conforming_strings", "on"},
};
enum { REPORTED = sizeof reported / sizeof reported[0] };

// Output.

static void put(struct Connection *it, const void *bytes, size_t count) {
    if (it->outputCount + count > it->outputSize) {
        it->outputSize = (it->outputCount + count) * 2 + 256;
        it->output = checked(realloc(it->output, it->outputSize));
    }
    memcpy(it->output + it->outputCount, bytes, count);
    it->outputCount += count;
}

// Opens a message; its length is written by `end`.
static size_t begin(struct Connection *it, char tag) {
    put(it, (char[5]){tag}, 5);
    return it->outputCount - 4;
}

static void end(struct Connection *it, size_t start) {
    store32(it->output + start, (uint32_t)(it->outputCount - start));
}

static void put32(struct Connection *it, uint32_t value) {
    char bytes[4];
    store32(bytes, value);
    put(it, bytes, 4);
}

static void put16(struct Connection *it, uint16_t value) {
    char bytes[2];
    store16(bytes, value);
    put(it, bytes, 2);
}

static void put_text(struct Connection *it, const char *text) { put(it, text, strlen(text) + 1); }

static void put_tag(struct Connection *it, const char *tag) {
    size_t start = begin(it, 'C');
    put_text(it, tag);
    end(it, start);
}

static void put_ready(struct Connection *it) {
    put(it, (char[6]){'Z', 0, 0, 0, 5, it->status}, 6);
}

static void put_parameter_status(struct Connection *it, const char *name, const char *value) {
    size_t start = begin(it, 'S');
    put_text(it, name);
    put_text(it, value);
    end(it, start);
}

// Parameters of the session.

static struct Parameter *find_parameter(struct Connection *it, const char *name) {
    struct Parameter *found = it->parameters;
    while (found != NULL && strcasecmp(found->name, name) != 0) found = found->next;
    return found;
}

static int reported_index(const char *name) {
    for (int index = 0; index < REPORTED; index++)
        if (strcasecmp(reported[index][0], name) == 0) return index;
    return -1;
}

static const char *parameter(struct Connection *it, const char *name) {
    struct Parameter *found = find_parameter(it, name);
    if (found != NULL) return found->value;
    int index = reported_index(name);
    if (index >= 0) return reported[index][1];
    return strcasecmp(name, "role") == 0 ? "none" : strchr(name, '.') ? NULL : "0";
}

static void set_parameter(struct Connection *it, const char *name, const char *value) {
    struct Parameter *found = find_parameter(it, name);
    if (found == NULL) {
        found = checked(calloc(1, sizeof *found));
        found->name = checked(strdup(name));
        found->next = it->parameters;
        it->parameters = found;
    }
    free(found->value);
    found->value = checked(strdup(value));
    int index = reported_index(name);
    if (index >= 0) put_parameter_status(it, reported[index][0], value);
}

// Forgets one parameter, or all if `name` is NULL.
static void reset_parameters(struct Connection *it, const char *name) {
    struct Parameter **link = &it->parameters;
    while (*link != NULL) {
        struct Parameter *old = *link;
        if (name != NULL && strcasecmp(old->name, name) != 0) {
            link = &old->next;
            continue;
        }
        *link = old->next;
        int index = reported_index(old->name);
        if (index >= 0) put_parameter_status(it, reported[index][0], reported[index][1]);
        free(old->name);
        free(old->value);
        free(old);
    }
}

// Texts.

static const char *skip_space(const char *text) {
    while (isspace((unsigned char)*text)) text++;
    return text;
}

static bool starts(const char *text, const char *word) {
    size_t count = strlen(word);
    return strncasecmp(text, word, count) == 0 && !isalnum((unsigned char)text[count])
        && text[count] != '_';
}

// The next word, number or 'literal'; returns what follows it.
static const char *next_word(const char *text, char *word, size_t size) {
    size_t count = 0;
    text = skip_space(text);
    if (*text == '\'') {
        for (text++; *text && (*text != '\'' || *++text == '\''); text++)
            if (count + 1 < size) word[count++] = *text;
    } else if (*text == '"') {
        for (text++; *text && *text != '"'; text++)
            if (count + 1 < size) word[count++] = *text;
        if (*text) text++;
    } else if (isalnum((unsigned char)*text) || strchr("_.-$", *text)) {
        while (*text && (isalnum((unsigned char)*text) || strchr("_.-$", *text))) {
            if (count + 1 < size) word[count++] = *text;
            text++;
        }
    } else if (*text) {
        if (count + 1 < size) word[count++] = *text;
        text++;
    }
    word[count] = 0;
    return text;
}

// The end of a statement or of a column: the next `stop` outside of quotes and parentheses.
static const char *find_end(const char *text, char stop) {
    int depth = 0;
    for (; *text; text++) {
        if (*text == '\'' || *text == '"') {
            const char *close = strchr(text + 1, *text);
            if (close == NULL) return text + strlen(text);
            text = close;
        } else if (*text == '(') {
            depth++;
        } else if (*text == ')') {
            depth--;
        } else if (*text == stop && depth == 0) {
            return text;
        }
    }
    return text;
}

// The number after `word`, or 0.
static size_t number_after(const char *text, const char *word) {
    const char *found = strcasestr(text, word);
    return found == NULL ? 0 : strtoull(found + strlen(word), NULL, 10);
}

// Results.

// How a text is answered: all of it, without its RowDescription, or only that.
enum Part { ALL, ROWS, DESCRIPTION };

static const struct Block *block_of(char tag, size_t width) {
    size_t rowSize = tag == 'd' ? 5 + width + 1 : 5 + 2 + 4 + width;
    for (struct Block *block = blocks; block != NULL; block = block->next)
        if (block->tag == tag && block->rowSize == rowSize) return block;
    struct Block *block = checked(calloc(1, sizeof *block));
    block->tag = tag;
    block->rowSize = rowSize;
    block->count = block->rowSize > BLOCK ? 1 : BLOCK / block->rowSize;
    block->bytes = checked(malloc(block->rowSize * block->count));
    for (size_t index = 0; index < block->count; index++) {
        char *row = block->bytes + index * block->rowSize;
        memset(row, 'x', block->rowSize);
        row[0] = tag;
        store32(row + 1, (uint32_t)(block->rowSize - 1));
        if (tag == 'D') {
            store16(row + 5, 1);
            store32(row + 7, (uint32_t)width);
        } else {
            row[block->rowSize - 1] = '\n';
        }
    }
    block->next = blocks;
    return blocks = block;
}

static void describe(struct Connection *it, const char *const *names, int count, uint32_t type) {
    size_t start = begin(it, 'T');
    put16(it, (uint16_t)count);
    for (int index = 0; index < count; index++) {
        put_text(it, names == NULL ? "?column?" : names[index]);
        put32(it, 0);
        put16(it, 0);
        put32(it, type);
        put16(it, type == 23 ? 4 : 0xffff);
        put32(it, 0xffffffff);
        put16(it, 0);
    }
    end(it, start);
}

// One column of a SELECT; NULL = SQL's NULL.
static const char *column_value(struct Connection *it, const char *text, const char *stop) {
    static char word[4096], value[4096];
    size_t count = (size_t)(stop - text) < sizeof value - 1 ? (size_t)(stop - text) : 0;
    const char *found;
    memcpy(value, text, count);
    value[count] = 0;
    if (strcasestr(value, "string_agg")) {
        size_t used = 0;
        for (struct Parameter *each = it->parameters; each != NULL; each = each->next)
            if (used < sizeof word - 512)
                used += (size_t)snprintf(
                    word + used, 512, "%s%s\1%s", used ? "\2" : "", each->name, each->value);
        return used ? word : NULL;
    }
    if (strcasestr(value, "exists")) return "f";
    if ((found = strcasestr(value, "set_config("))) {
        char name[256];
        const char *rest = next_word(found + strlen("set_config("), name, sizeof name);
        next_word(skip_space(rest) + 1, word, sizeof word);
        set_parameter(it, name, word);
        return word;
    }
    if ((found = strcasestr(value, "current_setting("))) {
        next_word(found + strlen("current_setting("), word, sizeof word);
        return parameter(it, word);
    }
    next_word(value, word, sizeof word);
    return isdigit((unsigned char)word[0]) ? word : "1";
}

// RowDescription and one row; the values come first because set_config may report something.
static void answer_row(struct Connection *it, const char *text, enum Part part) {
    char *values[COLUMNS];
    int count = 0;
    while (count < COLUMNS) {
        const char *stop = find_end(text, ',');
        const char *value = part == DESCRIPTION ? NULL : column_value(it, text, stop);
        values[count++] = value == NULL ? NULL : checked(strdup(value));
        if (*stop == 0) break;
        text = stop + 1;
    }
    bool isNumber = count == 1 && isdigit((unsigned char)*skip_space(text));
    if (part != ROWS) describe(it, NULL, count, isNumber ? 23 : 25);
    if (part == DESCRIPTION) return;
    size_t start = begin(it, 'D');
    put16(it, (uint16_t)count);
    for (int index = 0; index < count; index++) {
        if (values[index] == NULL) {
            put32(it, 0xffffffff);
            continue;
        }
        put32(it, (uint32_t)strlen(values[index]));
        put(it, values[index], strlen(values[index]));
        free(values[index]);
    }
    end(it, start);
    put_tag(it, "SELECT 1");
}

static void answer_many(struct Connection *it, char rowTag, size_t width, size_t rows) {
    it->block = block_of(rowTag, width);
    it->rowsLeft = rows;
    it->blockSent = 0;
    // The tail is written with the same functions, then taken out again.
    size_t start = it->outputCount;
    char tag[32];
    snprintf(tag, sizeof tag, rowTag == 'd' ? "COPY %zu" : "SELECT %zu", rows);
    if (rowTag == 'd') end(it, begin(it, 'c'));
    put_tag(it, tag);
    it->tailCount = it->outputCount - start;
    memcpy(it->tail, it->output + start, it->tailCount);
    it->outputCount = start;
}

static void answer_set(struct Connection *it, const char *text) {
    char name[256], value[4096];
    text = next_word(text + 3, name, sizeof name);
    bool isLocal = strcasecmp(name, "local") == 0;
    if (isLocal || strcasecmp(name, "session") == 0) text = next_word(text, name, sizeof name);
    if (strcasecmp(name, "time") == 0) strcpy(name, "TimeZone");
    text = next_word(text, value, sizeof value);
    if (*value == '=' || strcasecmp(value, "to") == 0 || strcasecmp(value, "zone") == 0)
        next_word(text, value, sizeof value);
    if (strcasecmp(value, "default") == 0)
        reset_parameters(it, name);
    else if (!isLocal)
        set_parameter(it, name, value);
    put_tag(it, "SET");
}

static void answer_other(struct Connection *it, const char *text) {
    char tag[64];
    next_word(text, tag, sizeof tag - 8);
    for (char *letter = tag; *letter; letter++) *letter = (char)toupper((unsigned char)*letter);
    if (strcmp(tag, "BEGIN") == 0 || strcmp(tag, "START") == 0) it->status = 'T';
    if (strcmp(tag, "COMMIT") == 0 || strcmp(tag, "END") == 0 || strcmp(tag, "ROLLBACK") == 0)
        it->status = 'I';
    if (strcmp(tag, "DISCARD") == 0) {
        reset_parameters(it, NULL);
        strcat(tag, " ALL");
    }
    put_tag(it, tag);
}

static void answer(struct Connection *it, const char *text, enum Part part) {
    char word[256];
    text = skip_space(text);
    if (*text == 0) {
        if (part == DESCRIPTION)
            end(it, begin(it, 'n'));
        else
            end(it, begin(it, 'I'));
        return;
    }
    bool isSelect = starts(text, "select"), isShow = starts(text, "show");
    if (part == DESCRIPTION && !isSelect && !isShow) {
        end(it, begin(it, 'n'));
        return;
    }
    size_t rows = number_after(text, "generate_series(1,"), width = number_after(text, "', ");
    if (isSelect && rows > 0) {
        if (part != ROWS) describe(it, NULL, 1, 25);
        if (part != DESCRIPTION) answer_many(it, 'D', width, rows);
    } else if (isSelect) {
        answer_row(it, text + 6, part);
    } else if (isShow) {
        next_word(text + 4, word, sizeof word);
        const char *value = parameter(it, word);
        if (part != ROWS) describe(it, (const char *[]){word}, 1, 25);
        if (part == DESCRIPTION) return;
        size_t start = begin(it, 'D');
        put16(it, 1);
        put32(it, value ? (uint32_t)strlen(value) : 0xffffffff);
        if (value) put(it, value, strlen(value));
        end(it, start);
        put_tag(it, "SHOW");
    } else if (starts(text, "set")) {
        answer_set(it, text);
    } else if (starts(text, "reset")) {
        next_word(text + 5, word, sizeof word);
        reset_parameters(it, strcasecmp(word, "all") == 0 ? NULL : word);
        put_tag(it, "RESET");
    } else if (starts(text, "copy")) {
        bool isIn = strcasestr(text, "from stdin") != NULL;
        size_t start = begin(it, isIn ? 'G' : 'H');
        put(it, "\0\0\1\0\0", 5);
        end(it, start);
        it->copiesIn = isIn;
        if (!isIn) answer_many(it, 'd', width, rows);
    } else {
        answer_other(it, text);
    }
}

// The statements of a simple query. A large result or COPY must be the last of them.
static void answer_query(struct Connection *it, char *text) {
    bool hasMore = true;
    while (hasMore) {
        char *stop = (char *)find_end(text, ';');
        hasMore = *stop != 0 && *skip_space(stop + 1) != 0;
        *stop = 0;
        answer(it, text, ALL);
        text = stop + 1;
    }
    if (it->copiesIn) return;
    if (it->block == NULL) {
        put_ready(it);
    } else {
        memcpy(it->tail + it->tailCount, (char[6]){'Z', 0, 0, 0, 5, it->status}, 6);
        it->tailCount += 6;
    }
}

// Messages.

static struct Statement *find_statement(struct Connection *it, const char *name) {
    struct Statement *found = it->statements;
    while (found != NULL && strcmp(found->name, name) != 0) found = found->next;
    return found;
}

static void prepare(struct Connection *it, const char *name, const char *text) {
    struct Statement *found = find_statement(it, name);
    if (found == NULL) {
        found = checked(calloc(1, sizeof *found));
        found->name = checked(strdup(name));
        found->next = it->statements;
        it->statements = found;
    } else if (strcmp(found->text, text) == 0) {
        return;
    }
    free(found->text);
    found->text = checked(strdup(text));
}

static void answer_message(struct Connection *it, char tag, char *body) {
    switch (tag) {
        case 'Q':
            answer_query(it, body);
            break;
        case 'P':
            prepare(it, body, body + strlen(body) + 1);
            end(it, begin(it, '1'));
            break;
        case 'B': {
            struct Statement *statement = find_statement(it, body + strlen(body) + 1);
            it->bound = statement == NULL ? "select 1" : statement->text;
            end(it, begin(it, '2'));
            break;
        }
        case 'D':
            if (body[0] == 'S') {
                struct Statement *statement = find_statement(it, body + 1);
                size_t start = begin(it, 't');
                put16(it, 0);
                end(it, start);
                answer(it, statement == NULL ? "select 1" : statement->text, DESCRIPTION);
            } else {
                answer(it, it->bound ? it->bound : "select 1", DESCRIPTION);
            }
            break;
        case 'E':
            answer(it, it->bound ? it->bound : "select 1", ROWS);
            break;
        case 'C':
            end(it, begin(it, '3'));
            break;
        case 'S':
            put_ready(it);
            break;
        case 'c':
        case 'f':
            if (it->copiesIn) {
                it->copiesIn = false;
                put_tag(it, "COPY 0");
                put_ready(it);
            }
            break;
        default:
            break;  // H, d: everything is sent at once, and data goes nowhere.
    }
}

static void log_in(struct Connection *it) {
    size_t start = begin(it, 'R');
    put32(it, 0);
    end(it, start);
    for (int index = 0; index < REPORTED; index++)
        put_parameter_status(it, reported[index][0], reported[index][1]);
    start = begin(it, 'K');
    put32(it, 10000 + (uint32_t)it->fd);
    put32(it, 20000 + (uint32_t)it->fd);
    end(it, start);
    put_ready(it);
    it->isLoggedIn = true;
}

static void close_connection(struct Connection *it) {
    close(it->fd);
    it->outputCount = it->outputSent = 0;
    reset_parameters(it, NULL);
    while (it->statements != NULL) {
        struct Statement *old = it->statements;
        it->statements = old->next;
        free(old->name);
        free(old->text);
        free(old);
    }
    free(it->input);
    free(it->output);
    free(it);
}

// Uses the whole messages at the front of `bytes`; returns how much that was, or -1 to close.
static ssize_t use(struct Connection *it, char *bytes, size_t count) {
    size_t offset = 0;
    while (offset < count && it->block == NULL) {
        size_t left = count - offset;
        if (it->skip > 0) {
            size_t part = left < it->skip ? left : it->skip;
            it->skip -= part;
            offset += part;
        } else if (!it->isLoggedIn) {
            if (left < 8 || left < load32(bytes + offset)) break;
            uint32_t length = load32(bytes + offset), code = load32(bytes + offset + 4);
            if (length < 8 || code == 80877102) return -1;  // CancelRequest
            if (code == 80877103 || code == 80877104)       // SSLRequest, GSSENCRequest
                put(it, "N", 1);
            else
                log_in(it);
            offset += length;
        } else {
            if (left < 5) break;
            char tag = bytes[offset];
            size_t length = load32(bytes + offset + 1);
            if (length < 4 || tag == 'X') return -1;
            if (tag == 'd') {
                it->skip = length - 4;
                offset += 5;
                continue;
            }
            if (left < 1 + length) break;
            // What follows the message is its end for functions that read text.
            char *finish = bytes + offset + 1 + length, kept = *finish;
            *finish = 0;
            answer_message(it, tag, bytes + offset + 5);
            *finish = kept;
            offset += 1 + length;
        }
    }
    return (ssize_t)offset;
}

static void watch(struct Connection *it, bool output) {
    if (it->watchesOutput == output) return;
    it->watchesOutput = output;
    struct epoll_event event = {.events = output ? EPOLLOUT : EPOLLIN, .data.ptr = it};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, it->fd, &event) != 0) fail("epoll_ctl");
}

// Sends what there is, rows included. False = the connection is gone.
static bool flush(struct Connection *it) {
    while (it->outputSent < it->outputCount || it->block != NULL) {
        const char *from = it->output + it->outputSent;
        size_t count = it->outputCount - it->outputSent;
        bool sendsRows = count == 0;
        if (sendsRows) {
            size_t rows = it->rowsLeft < it->block->count ? it->rowsLeft : it->block->count;
            from = it->block->bytes + it->blockSent;
            count = rows * it->block->rowSize - it->blockSent;
        }
        ssize_t sent = send(it->fd, from, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno != EAGAIN) return false;
            watch(it, true);
            return true;
        }
        if (!sendsRows) {
            it->outputSent += (size_t)sent;
            if (it->outputSent == it->outputCount) it->outputSent = it->outputCount = 0;
            continue;
        }
        size_t done = it->blockSent + (size_t)sent, rows = done / it->block->rowSize;
        it->rowsLeft -= rows;
        it->blockSent = done % it->block->rowSize;
        if (it->rowsLeft == 0) {
            it->block = NULL;
            put(it, it->tail, it->tailCount);
        }
    }
    watch(it, false);
    return true;
}

// Uses what was kept, as far as large results let it, and sends the answers.
static bool resume(struct Connection *it) {
    if (!flush(it)) return false;
    while (it->block == NULL && it->inputCount > 0) {
        ssize_t used = use(it, it->input, it->inputCount);
        if (used < 0) return false;
        if (used == 0) break;
        it->inputCount -= (size_t)used;
        memmove(it->input, it->input + used, it->inputCount);
        if (!flush(it)) return false;
    }
    return true;
}

// Makes room for `more` bytes and the zero that ends a text.
static void reserve(struct Connection *it, size_t more) {
    if (it->inputSize > it->inputCount + more) return;
    it->inputSize = (it->inputCount + more) * 2;
    it->input = checked(realloc(it->input, it->inputSize));
}

// Takes what has come. Whole messages are used where they lie; only what is left over is kept.
static bool receive(struct Connection *it) {
    bool keeps = it->inputCount > 0;
    if (keeps) reserve(it, 65536);
    char *to = keeps ? it->input + it->inputCount : scratch;
    ssize_t count = recv(it->fd, to, keeps ? 65536 : sizeof scratch - 1, MSG_DONTWAIT);
    if (count <= 0) return count < 0 && errno == EAGAIN;
    if (!keeps) {
        ssize_t used = use(it, scratch, (size_t)count);
        if (used < 0) return false;
        count -= used;
        if (count > 0) {
            reserve(it, (size_t)count);
            memcpy(it->input, scratch + used, (size_t)count);
        }
    }
    it->inputCount += (size_t)count;
    return resume(it);
}

static void add(int fd, bool isListener) {
    struct Connection *it = checked(calloc(1, sizeof *it));
    it->fd = fd;
    it->isListener = isListener;
    it->status = 'I';
    struct epoll_event event = {
        .events = EPOLLIN | (isListener ? EPOLLEXCLUSIVE : 0), .data.ptr = it};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

int main(int count, char **arguments) {
    int listeners[16], listenerCount = 0;
    if (count < 3 || count > 18) {
        fprintf(stderr, "usage: null_backend PROCESSES ADDRESS...\n");
        return 2;
    }
    prepare_process();
    for (int index = 2; index < count; index++) {
        listeners[listenerCount] = listen_at(arguments[index]);
        do_not_block(listeners[listenerCount++]);
    }
    for (int process = 1; process < atoi(arguments[1]); process++)
        if (fork() == 0) {
            prepare_process();
            break;
        }
    poller = epoll_create1(EPOLL_CLOEXEC);
    for (int index = 0; index < listenerCount; index++) add(listeners[index], true);
    while (true) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < ready; index++) {
            struct Connection *it = events[index].data.ptr;
            if (it->isListener) {
                int fd = accept4(it->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) continue;
                do_not_delay(fd);
                add(fd, false);
            } else if (!(it->watchesOutput ? resume(it) : receive(it))) {
                close_connection(it);
            }
        }
    }
}
