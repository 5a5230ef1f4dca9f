// What takes the place of posix_memalign in akgflow.verification.shared.allocation_guards.
//
// int posix_memalign(void **rdi, size_t rsi, size_t rdx)
//
// ORIGINAL  address of the C library's function
// PAD       bytes more than were asked for
// FILLED    of these, the bytes that are filled with POISON; the last eight hold a copy of the word before the memory
        .intel_syntax noprefix
        push    rdi                     // where the address goes
        push    rdx                     // the size
        sub     rsp, 8                  // calls need a stack that is aligned to 16 bytes
        add     rdx, PAD
        movabs  rax, ORIGINAL
        call    rax
        add     rsp, 8
        pop     rdx
        pop     rdi
        test    eax, eax
        jne     done                    // no memory
        mov     rdi, [rdi]              // the memory
        mov     r8, [rdi - 8]           // malloc's word before it
        add     rdi, rdx                // its end
        mov     ecx, FILLED
        mov     al, POISON
        rep     stosb
        mov     [rdi], r8
        xor     eax, eax
done:   ret
