;; "t": the type refers to one that is not exported
(component (type $r (record (field "a" u8))) (type $t (record (field "r" $r))) (export "t" (type $t)))
