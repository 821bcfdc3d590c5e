;; a variant has nothing in it
(component binary "\00asm\0d\00\01\00\07\03\01\71\00")
