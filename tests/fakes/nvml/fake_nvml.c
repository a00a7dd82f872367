/* A stand-in for libnvidia-ml.so.1. What it answers stands in the file named by FAKE_NVML_STATE, one "key value" a
 * line, read anew at every call, so that a test can change it while a program runs:
 *
 *   count 2                   number of GPUs
 *   init 18 | init hang       what nvmlInit does; absent: it succeeds
 *   memory_v2 13              code that nvmlDeviceGetMemoryInfo_v2 gives; absent: it succeeds
 *   processes_v3 13           likewise for nvmlDeviceGetComputeRunningProcesses_v3
 *   gpu.0.error 15            code that every call about GPU 0 gives; 0 or absent: none
 *   gpu.0.hang 1              every call about GPU 0 waits until this is gone
 *   gpu.0.used 100            MiB; also total, reserved; total "none": memory is not supported
 *   gpu.0.load 83             per cent; "none": not supported
 *   gpu.0.processes 7:100,8:- pid:MiB, "-": memory not told; "none": not supported
 *   gpu.0.compute_mode 3      nvmlComputeMode_t; absent: not supported
 *   gpu.0.remap_failed 1      whether a row could not be remapped; absent: not supported
 *   gpu.0.mig 1               MIG mode is on; instances are those i that have a gpu.0:i.uuid
 *   gpu.0.node 1              the NUMA node of the card; absent: the topology is not supported
 *   gpu.0.bridge 1            the PCI bridge of the card on that node; absent: one of its own
 *   gpu.0.links 1,1,s         the card to which each NVLink leads, s: a switch, -: not active; absent: not supported
 *   box FOLDER                what the processes named by its files use counts, too, while they live: <pid> has
 *                             "<start time> <MiB> <load in per cent> <GPU> ..."; their loads are told one by one
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MIB 1048576ULL
#define WORDS 4096
#define MIG_SLOTS 7
#define MOST_USES 256

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };

typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned int gpu, memory; } utilization;
typedef struct { unsigned int pid; unsigned long long used; unsigned int gpu_instance, compute_instance; } process;

typedef struct { unsigned int pid, memory, load; } use;
typedef struct { unsigned int pid; unsigned long long at; unsigned int sm, memory, encoder, decoder; } sample;

/* A handle is card + 1, with 1000 * (instance + 1) added for a MIG instance. */
typedef size_t handle;

static int initialized = 0;

static int find(const char *key, char *value) {
    const char *path = getenv("FAKE_NVML_STATE");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[WORDS];
    size_t length = strlen(key);
    int found = 0;
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, length) || line[length] != ' ') continue;
        line[strcspn(line, "\n")] = 0;
        strcpy(value, line + length + 1);
        found = 1;
    }
    if (file) fclose(file);
    return found;
}

static long number(const char *key, long otherwise) {
    char value[WORDS];
    return find(key, value) ? atol(value) : otherwise;
}

static void key_of(handle device, const char *field, char *key) {
    int card = (int)(device % 1000) - 1, instance = (int)(device / 1000) - 1;
    if (instance >= 0) sprintf(key, "gpu.%d:%d.%s", card, instance, field);
    else sprintf(key, "gpu.%d.%s", card, field);
}

static int text_of(handle device, const char *field, char *value) {
    char key[WORDS];
    key_of(device, field, key);
    return find(key, value);
}

static long number_of(handle device, const char *field, long otherwise) {
    char value[WORDS];
    return text_of(device, field, value) ? atol(value) : otherwise;
}

/* The box */

/* Whether a process lives, and was started at that time. */
static int lives(long pid, const char *start) {
    char path[64], text[WORDS], *field;
    FILE *file;
    size_t length;
    int number;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (!(file = fopen(path, "r"))) return 0;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    if (!(field = strrchr(text, ')'))) return 0;
    field = strtok(field + 1, " ");
    if (!field || *field == 'Z' || *field == 'X') return 0;
    for (number = 3; number < 22 && field; number++) field = strtok(NULL, " ");
    return field && !strcmp(field, start);
}

/* What the file of a process says of a card; 0: nothing. */
static int use_of(const char *folder, const char *name, const char *card, use *found) {
    char path[2 * WORDS], line[WORDS] = "", start[64], *word;
    FILE *file;
    int skipped = 0;
    if (*name < '0' || *name > '9') return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!(file = fopen(path, "r"))) return 0;
    if (!fgets(line, sizeof line, file)) *line = 0;
    fclose(file);
    if (sscanf(line, "%63s %u %u %n", start, &found->memory, &found->load, &skipped) < 3) return 0;
    found->pid = (unsigned int)atol(name);
    for (word = strtok(line + skipped, " \n"); word; word = strtok(NULL, " \n"))
        if (!strcmp(word, card)) return lives(atol(name), start);
    return 0;
}

/* What lives on a card; returns how many those are. */
static int uses_of(handle device, use *uses) {
    char folder[WORDS], card[64];
    struct dirent *entry;
    DIR *files;
    int number = 0;
    if (!find("box", folder) || !(files = opendir(folder))) return 0;
    key_of(device, "", card);
    card[strlen(card) - 1] = 0; /* "gpu.0." */
    while (number < MOST_USES && (entry = readdir(files)))
        number += use_of(folder, entry->d_name, card + strlen("gpu."), uses + number);
    closedir(files);
    return number;
}

static unsigned int memory_in_box(handle device) {
    use uses[MOST_USES];
    unsigned int sum = 0;
    int number = uses_of(device, uses);
    while (number--) sum += uses[number].memory;
    return sum;
}

static unsigned int load_in_box(handle device) {
    use uses[MOST_USES];
    unsigned int sum = 0;
    int number = uses_of(device, uses);
    while (number--) sum += uses[number].load;
    return sum;
}

/* Waits while the card hangs, then says what is wrong with it. */
static int state_of(handle device) {
    if (!initialized) return UNINITIALIZED;
    while (number_of(device % 1000, "hang", 0)) usleep(10000);
    return (int)number_of(device % 1000, "error", OK);
}

int nvmlInitWithFlags(unsigned int flags) {
    char value[WORDS];
    (void)flags;
    while (find("init", value) && !strcmp(value, "hang")) usleep(10000);
    if (number("init", OK)) return (int)number("init", OK);
    initialized = 1;
    return OK;
}

int nvmlShutdown(void) {
    if (!initialized) return UNINITIALIZED;
    initialized = 0;
    return OK;
}

const char *nvmlErrorString(int code) {
    (void)code;
    return "an error of the stand-in";
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
    *count = (unsigned int)number("count", 0);
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, handle *device) {
    if ((long)index >= number("count", 0)) return INVALID;
    *device = index + 1;
    return state_of(*device);
}

static int copy(handle device, const char *field, char *text, unsigned int size) {
    char value[WORDS] = "";
    int state = state_of(device);
    if (state) return state;
    text_of(device, field, value);
    snprintf(text, size, "%s", value);
    return OK;
}

int nvmlDeviceGetUUID(handle device, char *text, unsigned int size) { return copy(device, "uuid", text, size); }

int nvmlDeviceGetName(handle device, char *text, unsigned int size) { return copy(device, "name", text, size); }

static int memory_state(handle device) {
    char value[WORDS] = "";
    int state = state_of(device);
    text_of(device, "total", value);
    return !state && !strcmp(value, "none") ? NOT_SUPPORTED : state;
}

int nvmlDeviceGetMemoryInfo(handle device, memory_v1 *memory) {
    int state = memory_state(device);
    if (state) return state;
    memory->total = number_of(device, "total", 0) * MIB;
    memory->used = (number_of(device, "used", 0) + number_of(device, "reserved", 0) + memory_in_box(device)) * MIB;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetMemoryInfo_v2(handle device, memory_v2 *memory) {
    int state = memory_state(device);
    if (number("memory_v2", OK)) return (int)number("memory_v2", OK);
    if (state) return state;
    memory->total = number_of(device, "total", 0) * MIB;
    memory->used = (number_of(device, "used", 0) + memory_in_box(device)) * MIB;
    memory->reserved = number_of(device, "reserved", 0) * MIB;
    memory->free = memory->total - memory->used - memory->reserved;
    return OK;
}

int nvmlDeviceGetUtilizationRates(handle device, utilization *rates) {
    char value[WORDS] = "0";
    int state = state_of(device);
    if (state) return state;
    text_of(device, "load", value);
    if (device > 1000 || !strcmp(value, "none")) return NOT_SUPPORTED;
    rates->gpu = (unsigned int)atoi(value) + load_in_box(device);
    if (rates->gpu > 100) rates->gpu = 100;
    rates->memory = 0;
    return OK;
}

static void tell(process *found, unsigned int pid, unsigned long long used) {
    found->pid = pid;
    found->used = used;
    found->gpu_instance = found->compute_instance = ~0U;
}

static int processes(handle device, unsigned int *count, process *found) {
    char value[WORDS] = "", *each;
    unsigned int room = *count, number = 0;
    use uses[MOST_USES];
    int state = state_of(device), others = uses_of(device, uses);
    if (state) return state;
    text_of(device, "processes", value);
    if (!strcmp(value, "none")) return NOT_SUPPORTED;
    for (each = strtok(value, ","); each; each = strtok(NULL, ",")) {
        char *memory = strchr(each, ':') + 1;
        if (found && number < room)
            tell(found + number, (unsigned int)atoi(each), *memory == '-' ? ~0ULL : atol(memory) * MIB);
        number++;
    }
    while (others--) {
        if (found && number < room) tell(found + number, uses[others].pid, uses[others].memory * MIB);
        number++;
    }
    *count = number;
    return number > room || (number && !found) ? TOO_SMALL : OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(handle device, unsigned int *count, process *found) {
    return number("processes_v3", OK) ? (int)number("processes_v3", OK) : processes(device, count, found);
}

int nvmlDeviceGetComputeRunningProcesses_v2(handle device, unsigned int *count, process *found) {
    return processes(device, count, found);
}

/* The load of each process in the box: its share of the card where more than all of it is asked for. */
int nvmlDeviceGetProcessUtilization(handle device, sample *found, unsigned int *count, unsigned long long since) {
    char value[WORDS];
    use uses[MOST_USES];
    int state = state_of(device), number = uses_of(device, uses), each;
    unsigned int asked = load_in_box(device), room = *count;
    struct timespec now;
    (void)since;
    if (state) return state;
    if (!find("box", value) || device > 1000) return NOT_SUPPORTED;
    *count = (unsigned int)number;
    if (!number) return NOT_FOUND;
    if (!found || (int)room < number) return TOO_SMALL;
    clock_gettime(CLOCK_REALTIME, &now);
    for (each = 0; each < number; each++) {
        memset(found + each, 0, sizeof *found);
        found[each].pid = uses[each].pid;
        found[each].at = (unsigned long long)now.tv_sec * 1000000ULL + (unsigned long long)now.tv_nsec / 1000ULL;
        found[each].sm = asked > 100 ? uses[each].load * 100 / asked : uses[each].load;
    }
    return OK;
}

int nvmlDeviceGetComputeMode(handle device, unsigned int *mode) {
    int state = state_of(device);
    long value = number_of(device, "compute_mode", -1);
    if (state) return state;
    *mode = (unsigned int)value;
    return value < 0 ? NOT_SUPPORTED : OK;
}

int nvmlDeviceGetRemappedRows(handle device, unsigned int *corrected, unsigned int *uncorrected,
                              unsigned int *pending, unsigned int *failed) {
    int state = state_of(device);
    long value = number_of(device, "remap_failed", -1);
    if (state) return state;
    *corrected = *uncorrected = *pending = 0;
    *failed = (unsigned int)value;
    return value < 0 ? NOT_SUPPORTED : OK;
}

/* How cards are linked */

typedef struct {
    char legacy[16];
    unsigned int domain, bus, device, pci_device, pci_subsystem;
    char id[32];
} pci_info;

static void pci_of(int card, pci_info *info) {
    memset(info, 0, sizeof *info);
    info->bus = (unsigned int)card + 16;
    sprintf(info->id, "00000000:%02X:00.0", card + 16);
}

int nvmlDeviceGetPciInfo_v3(handle device, pci_info *info) {
    pci_of((int)(device % 1000) - 1, info);
    return state_of(device);
}

int nvmlDeviceGetTopologyCommonAncestor(handle one, handle other, unsigned int *level) {
    long node = number_of(one, "node", -1), bridge = number_of(one, "bridge", -1);
    if (state_of(one)) return state_of(one);
    if (node < 0) return NOT_SUPPORTED;
    *level = node != number_of(other, "node", -1) ? 50 : bridge < 0 || bridge != number_of(other, "bridge", -1) ? 40 : 20;
    return OK;
}

/* What stands for a link: the first letter; NULL: there is no such link. */
static const char *link_of(handle device, unsigned int link, char *value) {
    char *word;
    if (!text_of(device, "links", value)) return NULL;
    for (word = strtok(value, ","); word && link; word = strtok(NULL, ",")) link--;
    return word;
}

int nvmlDeviceGetNvLinkState(handle device, unsigned int link, unsigned int *active) {
    char value[WORDS];
    const char *word;
    if (!text_of(device, "links", value)) return NOT_SUPPORTED;
    word = link_of(device, link, value);
    *active = word && *word != '-';
    return word ? OK : INVALID;
}

int nvmlDeviceGetNvLinkRemoteDeviceType(handle device, unsigned int link, unsigned int *type) {
    char value[WORDS];
    const char *word = link_of(device, link, value);
    if (!word) return INVALID;
    *type = *word == 's' ? 2 : 0;
    return OK;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(handle device, unsigned int link, pci_info *info) {
    char value[WORDS];
    const char *word = link_of(device, link, value);
    if (!word) return INVALID;
    pci_of(*word == 's' ? 200 : atoi(word), info);
    return OK;
}

int nvmlDeviceGetMigMode(handle device, unsigned int *current, unsigned int *pending) {
    char value[WORDS];
    int state = state_of(device);
    if (state) return state;
    if (!text_of(device, "mig", value)) return NOT_SUPPORTED;
    *current = *pending = (unsigned int)atoi(value);
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(handle device, unsigned int *count) {
    *count = MIG_SLOTS;
    return state_of(device);
}

int nvmlDeviceGetMigDeviceHandleByIndex(handle device, unsigned int slot, handle *instance) {
    char value[WORDS];
    int state = state_of(device);
    if (state) return state;
    *instance = device + 1000 * (size_t)(slot + 1);
    return text_of(*instance, "uuid", value) ? OK : NOT_FOUND;
}
