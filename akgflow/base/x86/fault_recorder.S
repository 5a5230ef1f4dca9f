// The handler of SIGSEGV and SIGBUS of akgflow.verification.candidate.fault_recorder.
//
// void handler(int, siginfo_t *rsi, ucontext_t *rdx)
//
// RECORD  address of a word that holds the address of three words: the judge's memory. The handler writes the second,
//         the address of the fault, and the third, the error code of the page fault.
// Offsets: si_addr in siginfo_t is 16, gregs[REG_ERR] in ucontext_t is 192 (glibc <sys/ucontext.h>, x86-64).
        .intel_syntax noprefix
        movabs  rcx, RECORD
        mov     rcx, [rcx]              // the three words
        mov     rax, [rsi + 16]         // si_addr
        mov     [rcx + 8], rax
        mov     rax, [rdx + 192]        // REG_ERR: bit 1 says that the access was a write
        mov     [rcx + 16], rax
        ret
