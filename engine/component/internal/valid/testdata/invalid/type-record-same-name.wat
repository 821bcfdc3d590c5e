;; record: the name "A-b" is there twice
(component (type (record (field "a-B" u8) (field "A-b" u8))))
