// The handler of SIGSEGV of akgflow.toolchains.common.silence: code that may no longer be executed returns zero.
//
// void handler(int, siginfo_t *rsi, ucontext_t *rdx)
//
// Offsets in ucontext_t: gregs[REG_RAX] 144, gregs[REG_RSP] 160, gregs[REG_RIP] 168; si_addr in siginfo_t is 16
// (glibc <sys/ucontext.h>, x86-64).
        .intel_syntax noprefix
        mov     rax, [rdx + 168]        // the instruction at which execution stopped
        cmp     rax, [rsi + 16]         // the address that could not be used
        jne     other                   // they differ: no attempt to execute
        mov     rcx, [rdx + 160]        // the stack, whose top is the caller's return address
        mov     rax, [rcx]
        mov     [rdx + 168], rax        // continue there
        add     rcx, 8
        mov     [rdx + 160], rcx        // with the return address popped
        xor     eax, eax
        mov     [rdx + 144], rax        // and zero as the result
        ret
other:  ud2                             // any other fault ends the process
