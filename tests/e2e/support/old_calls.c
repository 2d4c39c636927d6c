/* What a program of 32 bits does with sockets, without a C library: gcc -m32 -nostdlib. Words: PORT WAY. Ends with 0 where the
   kernel has answered as it should. */

struct address { unsigned short family, port; unsigned host; unsigned rest[2]; };
struct part { const void* bytes; unsigned count; };
struct message { void* name; unsigned name_length; struct part* parts; unsigned part_count; void* control; unsigned control_length, flags; };
struct counted { struct message message; unsigned sent; };

enum { CONNECT = 3, SEND_TO = 11, SEND_MESSAGE = 16, SEND_MESSAGES = 20 };
enum { FAST_OPEN = 0x20000000, NOT_SUPPORTED = -95, SOCKETCALL = 102 };

static int call(int number, int b, int c, int d, int s, int di, int bp)
{
    int result;
    __asm__ volatile("push %%ebp; mov %[bp], %%ebp; int $0x80; pop %%ebp"
                     : "=a"(result) : "0"(number), "b"(b), "c"(c), "d"(d), "S"(s), "D"(di), [bp] "m"(bp) : "memory");
    return result;
}

static int chance; /* in registers that mean nothing to socketcall(2) */
static int old(int which, int* words) { return call(SOCKETCALL, which, (int)words, chance, chance, 0, 0); }

static int make_socket(int type)
{
    int words[] = {2, type, 0};
    return old(1, words);
}

static int same(const char* a, const char* b)
{
    for (; *a != 0 && *a == *b; ++a, ++b) {
    }
    return *a == *b;
}

static const char text[] = "USER anna\r\n";
enum { LENGTH = sizeof text - 1 };

int test(char** words)
{
    unsigned port = 0;
    for (const char* digit = words[1]; *digit != 0; ++digit)
        port = port * 10 + (unsigned)(*digit - '0');
    struct address to = {2, (unsigned short)(port << 8 | port >> 8), 0x0100007F, {0, 0}};
    struct part part = {text, LENGTH};
    struct counted one = {{&to, sizeof to, &part, 1, 0, 0, 0}, 0};
    const char* way = words[2];
    const int tcp = make_socket(1), udp = make_socket(2);
    if (same(way, "connect")) {
        int of_connect[] = {tcp, (int)&to, sizeof to};
        char seen[4];
        return old(CONNECT, of_connect) != 0 || call(3, tcp, (int)seen, 3, 0, 0, 0) != 3 || seen[0] != '2' || seen[2] != '0';
    }
    if (same(way, "udp")) {
        int of_send_to[] = {udp, (int)text, LENGTH, 0, (int)&to, sizeof to};
        int of_message[] = {udp, (int)&one, 0};
        int of_messages[] = {udp, (int)&one, 1, 0};
        chance = FAST_OPEN;
        return old(SEND_TO, of_send_to) != LENGTH || old(SEND_MESSAGE, of_message) != LENGTH || old(SEND_MESSAGES, of_messages) != 1;
    }
    int of_send_to[] = {tcp, (int)text, LENGTH, FAST_OPEN, (int)&to, sizeof to};
    int of_message[] = {tcp, (int)&one, FAST_OPEN};
    int of_messages[] = {tcp, (int)&one, 1, FAST_OPEN};
    int result = 0;
    if (same(way, "old-sendto"))
        result = old(SEND_TO, of_send_to);
    else if (same(way, "old-sendmsg"))
        result = old(SEND_MESSAGE, of_message);
    else if (same(way, "old-sendmmsg"))
        result = old(SEND_MESSAGES, of_messages);
    else if (same(way, "sendto"))
        result = call(369, tcp, (int)text, LENGTH, FAST_OPEN, (int)&to, sizeof to);
    else if (same(way, "sendmsg"))
        result = call(370, tcp, (int)&one, FAST_OPEN, 0, 0, 0);
    else if (same(way, "sendmmsg"))
        result = call(345, tcp, (int)&one, 1, FAST_OPEN, 0, 0);
    return result != NOT_SUPPORTED;
}

__asm__(".globl _start\n_start:\n lea 4(%esp), %eax\n and $-16, %esp\n sub $12, %esp\n push %eax\n call test\n"
        " mov %eax, %ebx\n mov $1, %eax\n int $0x80\n");
